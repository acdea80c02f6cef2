/* IMPORTANT
 * This snapshot file is auto-generated, but designed for humans.
 * It should be checked into source control and tracked carefully.
 * Re-generate by setting TAP_SNAPSHOT=1 and running tests.
 * Make sure to inspect the output below.  Do not ignore changes!
 */
'use strict'
exports[`test/compile/routes.test.ts > TAP > golden: one Listener, two Hosts, three Mappings > must match snapshot 1`] = `
{
 "listeners": [
  {
   "name": "listener-8080",
   "address": "0.0.0.0",
   "port": 8080,
   "statPrefix": "ingress_http",
   "chains": [
    {
     "name": "cleartext",
     "serverNames": [],
     "serve": {
      "kind": "http",
      "routeConfig": "routes|XFP|all"
     }
    }
   ],
   "trustedHops": 1,
   "securityModel": "XFP",
   "origin": {
    "kind": "Listener",
    "namespace": "default",
    "name": "http",
    "at": "m.yaml:1"
   }
  }
 ],
 "routeConfigs": [
  {
   "name": "routes|XFP|all",
   "virtualHosts": [
    {
     "name": "*",
     "domains": [
      "*"
     ],
     "routes": [
      {
       "match": {
        "path": {
         "kind": "prefix",
         "value": "/",
         "caseSensitive": true
        },
        "headers": [],
        "query": []
       },
       "action": {
        "kind": "forward",
        "cluster": "shop/web",
        "rewrite": "/",
        "timeoutMs": 3000
       },
       "origins": [
        {
         "kind": "Mapping",
         "namespace": "shop",
         "name": "root",
         "at": "m.yaml:26"
        }
       ],
       "weight": 100
      }
     ],
     "origin": {
      "kind": "Host",
      "namespace": "default",
      "name": "open",
      "at": "m.yaml:11"
     }
    },
    {
     "name": "shop.example.com",
     "domains": [
      "shop.example.com"
     ],
     "routes": [
      {
       "match": {
        "path": {
         "kind": "prefix",
         "value": "/pay/",
         "caseSensitive": true
        },
        "headers": [
         {
          "name": "x-forwarded-proto",
          "kind": "exact",
          "value": "https"
         }
        ],
        "query": [],
        "percent": 80,
        "percentOf": 100
       },
       "action": {
        "kind": "forward",
        "cluster": "shop/payments",
        "rewrite": "/",
        "timeoutMs": 3000
       },
       "origins": [
        {
         "kind": "Mapping",
         "namespace": "shop",
         "name": "pay",
         "at": "m.yaml:16"
        }
       ],
       "weight": 80
      },
      {
       "match": {
        "path": {
         "kind": "prefix",
         "value": "/pay/",
         "caseSensitive": true
        },
        "headers": [
         {
          "name": "x-forwarded-proto",
          "kind": "exact",
          "value": "https"
         }
        ],
        "query": []
       },
       "action": {
        "kind": "forward",
        "cluster": "shop/payments-new:http",
        "rewrite": "/",
        "timeoutMs": 3000
       },
       "origins": [
        {
         "kind": "Mapping",
         "namespace": "shop",
         "name": "pay-new",
         "at": "m.yaml:21"
        }
       ],
       "weight": 20
      },
      {
       "match": {
        "path": {
         "kind": "prefix",
         "value": "/pay/",
         "caseSensitive": true
        },
        "headers": [],
        "query": []
       },
       "action": {
        "kind": "https-redirect"
       },
       "origins": [
        {
         "kind": "Mapping",
         "namespace": "shop",
         "name": "pay",
         "at": "m.yaml:16"
        },
        {
         "kind": "Mapping",
         "namespace": "shop",
         "name": "pay-new",
         "at": "m.yaml:21"
        }
       ]
      },
      {
       "match": {
        "path": {
         "kind": "prefix",
         "value": "/",
         "caseSensitive": true
        },
        "headers": [
         {
          "name": "x-forwarded-proto",
          "kind": "exact",
          "value": "https"
         }
        ],
        "query": []
       },
       "action": {
        "kind": "forward",
        "cluster": "shop/web",
        "rewrite": "/",
        "timeoutMs": 3000
       },
       "origins": [
        {
         "kind": "Mapping",
         "namespace": "shop",
         "name": "root",
         "at": "m.yaml:26"
        }
       ],
       "weight": 100
      },
      {
       "match": {
        "path": {
         "kind": "prefix",
         "value": "/",
         "caseSensitive": true
        },
        "headers": [],
        "query": []
       },
       "action": {
        "kind": "https-redirect"
       },
       "origins": [
        {
         "kind": "Mapping",
         "namespace": "shop",
         "name": "root",
         "at": "m.yaml:26"
        }
       ]
      }
     ],
     "origin": {
      "kind": "Host",
      "namespace": "default",
      "name": "shop",
      "at": "m.yaml:6"
     }
    }
   ]
  }
 ],
 "clusters": [
  {
   "kind": "eds",
   "assignment": {
    "name": "shop/payments",
    "service": "shop/payments",
    "port": {
     "kind": "default",
     "tls": false
    },
    "members": {
     "kind": "all"
    }
   },
   "name": "shop/payments",
   "statName": "payments",
   "loadBalancing": "round_robin",
   "connectTimeoutMs": 3000,
   "origins": [
    {
     "kind": "Mapping",
     "namespace": "shop",
     "name": "pay",
     "at": "m.yaml:16"
    }
   ]
  },
  {
   "kind": "eds",
   "assignment": {
    "name": "shop/payments-new:http",
    "service": "shop/payments-new",
    "port": {
     "kind": "name",
     "name": "http"
    },
    "members": {
     "kind": "all"
    }
   },
   "name": "shop/payments-new:http",
   "statName": "payments_new_http",
   "loadBalancing": "round_robin",
   "connectTimeoutMs": 3000,
   "origins": [
    {
     "kind": "Mapping",
     "namespace": "shop",
     "name": "pay-new",
     "at": "m.yaml:21"
    }
   ]
  },
  {
   "kind": "eds",
   "assignment": {
    "name": "shop/web",
    "service": "shop/web",
    "port": {
     "kind": "default",
     "tls": false
    },
    "members": {
     "kind": "all"
    }
   },
   "name": "shop/web",
   "statName": "web",
   "loadBalancing": "round_robin",
   "connectTimeoutMs": 3000,
   "origins": [
    {
     "kind": "Mapping",
     "namespace": "shop",
     "name": "root",
     "at": "m.yaml:26"
    }
   ]
  }
 ],
 "http": {
  "auth": [],
  "rateLimits": [],
  "logs": [],
  "options": {}
 },
 "secrets": []
}
`
