/** Writes lines where the last ones stood, on a terminal. */
export class Screen {
  private drawn = 0

  constructor(private readonly out: NodeJS.WriteStream) {}

  draw(lines: readonly string[]): void {
    const width = this.out.columns ?? 80
    const up = this.drawn > 0 ? `\u001b[${this.drawn}A` : ''
    const cut = lines.map(line => `${line.slice(0, width - 1)}\u001b[K\n`)
    this.out.write(`${up}${cut.join('')}\u001b[J`)
    this.drawn = lines.length
  }
}
