/** A node on the wires. */
export const nodeName = (index: number): string => `node-${index}`
