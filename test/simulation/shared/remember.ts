/**
 * A pure function whose result is remembered with its argument, for as long as that lives. In a simulation the argument is
 * the same object at all nodes (a message reaches its receivers as one array), and whatever other bytes say is other.
 */
export function rememberWith<Argument extends object, Value>(of: (argument: Argument) => Value) {
  const known = new WeakMap<Argument, { readonly value: Value }>()
  return (argument: Argument): Value => {
    let found = known.get(argument)
    if (!found) {
      found = { value: of(argument) }
      known.set(argument, found)
    }
    return found.value
  }
}
