/** A URL as logs may show it: addresses of RPC services hold keys in their credentials, paths and queries. */
export function redactUrl(url: string): string {
  try {
    const { protocol, host, pathname, search } = new URL(url)
    return `${protocol}//${host}${pathname === '/' && search === '' ? '' : '/…'}`
  } catch {
    return '(a malformed URL)'
  }
}

/** A text with every URL in it redacted. */
export function redactUrls(text: string): string {
  return text.replace(/\b(?:https?|wss?):\/\/[^\s"'<>)\]]+/gi, redactUrl)
}

/** A text without the parts of a URL that may be keys, which the service there may repeat in what it answers. */
export function redactKeysOf(url: string, text: string): string {
  return keysOf(url).reduce((redacted, key) => redacted.replaceAll(key, '…'), text)
}

/** Shorter segments of paths and values of queries are words such as `rpc` or `v3`. */
const minKeyLength = 6

/** As written and decoded; the longest first, which may hold others. */
function keysOf(url: string): string[] {
  if (!URL.canParse(url)) return url === '' ? [] : [url]
  const { username, password, pathname, search } = new URL(url)
  const values = search.split(/[?&]/).map(pair => pair.slice(pair.indexOf('=') + 1))
  const parts = [...pathname.split('/'), ...values].filter(part => part.length >= minKeyLength)
  const keys = [username, password, ...parts].filter(key => key !== '')
  return keys.flatMap(key => [key, decoded(key)]).sort((a, b) => b.length - a.length)
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}
