/** Whether pages of this browser origin may call; `*` allows every one. */
export function isOriginAllowed(origin: string, allowed: readonly string[]): boolean {
  return allowed.includes('*') || allowed.includes(origin.toLowerCase())
}
