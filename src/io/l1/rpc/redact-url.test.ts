import { expect, test } from 'vitest'
import { redactKeysOf, redactUrl, redactUrls } from './redact-url.js'

test('of a URL its scheme and host are shown, in a text too', () => {
  expect(redactUrl('https://user:pass@l1.example:8545/v3/hunter2?key=hunter3')).toBe('https://l1.example:8545/…')
  expect(redactUrl('http://l1.example')).toBe('http://l1.example')
  expect(redactUrl('l1.example/hunter2')).toBe('(a malformed URL)')
  expect(redactUrls('no answer of wss://l1.example/hunter2, twice')).toBe('no answer of wss://l1.example/… twice')
})

test.each([
  ['https://l1.example/v3/hunter2', 'Cannot POST /v3/hunter2', 'Cannot POST /v3/…'],
  ['https://l1.example/v3/hunter2', 'project hunter2: hunter2 is over its limit', 'project …: … is over its limit'],
  [
    'https://l1.example/rpc?a=b&apikey=hunter2',
    'invalid api key hunter2 for /rpc?a=b',
    'invalid api key … for /rpc?a=b',
  ],
  ['https://l1.example?hunter2', 'no hunter2', 'no …'],
  ['https://bob:pw1@l1.example', 'bob may not enter with pw1', '… may not enter with …'],
  ['https://l1.example/a%20secret', 'no a%20secret, no a secret', 'no …, no …'],
  ['https://hunter:x@l1.example/hunter2', 'no hunter2', 'no …'],
  ['https://l1.example/100%25%zz', 'no 100%25%zz', 'no …'],
  ['l1.example/hunter2', 'cannot parse l1.example/hunter2', 'cannot parse …'],
  ['https://l1.example', 'Cannot POST /', 'Cannot POST /'],
])('what %s may hold of keys is left out of a text: %s', (url, text, redacted) => {
  expect(redactKeysOf(url, text)).toBe(redacted)
})
