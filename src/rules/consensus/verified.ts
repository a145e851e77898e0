declare const verified: unique symbol

/** A message whose signature was checked at the door; the core accepts nothing else. */
export type Verified<Message> = Message & { readonly [verified]: true }

/** Marks a message as checked. Only the code that checked it may call this. */
export const asVerified = <Message>(message: Message): Verified<Message> => message as Verified<Message>
