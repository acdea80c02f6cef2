import t from 'tap'
import { Type as TypeBox } from 'typebox'
import { Type } from '../../src/model/type.ts'

const schemas = (of: typeof Type) => {
  const every = of.Object(
    {
      text: of.String({ minLength: 1, description: 'some' }),
      perhaps: of.Optional(of.Integer({ minimum: 1 })),
      named: of.Optional(of.Enum(['a', 'b'], { description: 'one of them' })),
      fixed: of.Union([of.Literal(3), of.Literal('x'), of.Literal(true), of.Null()], { description: 'any' }),
      map: of.Record(of.String({ minLength: 1 }), of.Number(), { maxProperties: 3 }),
      list: of.Array(of.Unknown(), { maxItems: 2 }),
      own: of.Unsafe<string | null>({ type: ['string', 'null'] }),
      flag: of.Boolean(),
    },
    { additionalProperties: false },
  )
  const some = of.Pick(every, ['text', 'perhaps', 'flag'])
  return {
    every,
    some,
    none: of.Object({}),
    partial: of.Partial(some),
    one: of.Index(every, ['text']),
    other: of.Index(every, ['perhaps']),
  }
}

t.test('gives the schemas that TypeBox gives', t => {
  t.equal(JSON.stringify(schemas(Type), undefined, 1), JSON.stringify(schemas(TypeBox), undefined, 1))
  t.end()
})

t.test('what is optional stays so in a copy', t => {
  const field = { ...Type.Optional(Type.String()), description: 'copied' }
  t.same(JSON.parse(JSON.stringify(Type.Object({ field }))), {
    type: 'object',
    properties: { field: { type: 'string', description: 'copied' } },
  })
  t.end()
})
