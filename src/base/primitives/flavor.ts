declare const flavor: unique symbol

/**
 * A named kind of a plain value: literals and arithmetic need no cast, yet one kind is not assignable to another
 * (a Height where a Round is wanted does not compile).
 */
export type Flavored<Value, Name extends string> = Value & { readonly [flavor]?: Name }
