import t from 'tap'
import { pageIsTrue } from './page-is-true.ts'

/** Issue 7, "Done means": each example was run, and its README shows the output. */

t.setTimeout(170_000)

t.test('deploy/examples/README.md: its commands print what it shows', t => pageIsTrue(t, 'deploy/examples/README.md'))
