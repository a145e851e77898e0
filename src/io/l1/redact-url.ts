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
