import { type ChildProcess, spawn } from 'node:child_process'
import { createRequire } from 'node:module'

/** An anvil process of one test, asked over HTTP. */
export interface Anvil {
  rpc<Value>(method: string, params: readonly unknown[]): Promise<Value>
  stop(): Promise<void>
}

/** Starts anvil on a port of its choice and waits until it listens. */
export async function startAnvil(args: readonly string[]): Promise<Anvil> {
  const binary = createRequire(import.meta.url).resolve('@foundry-rs/anvil-linux-amd64/bin/anvil')
  const child = spawn(binary, ['--port', '0', ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  const url = await listening(child)
  let id = 0
  return {
    async rpc<Value>(method: string, params: readonly unknown[]): Promise<Value> {
      const body = JSON.stringify({ jsonrpc: '2.0', id: id++, method, params })
      const response = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
      const { result, error } = (await response.json()) as { result: Value; error?: { message: string } }
      if (error) throw new RangeError(`${method}: ${error.message}`)
      return result
    },
    async stop() {
      const exited = new Promise(resolve => child.once('exit', resolve))
      child.kill()
      await exited
    },
  }
}

function listening(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    const read = (chunk: Buffer) => {
      text += chunk.toString()
      const match = /Listening on ([\d.]+:\d+)/.exec(text)
      if (match) resolve(`http://${match[1]}`)
    }
    child.stdout?.on('data', read)
    child.stderr?.on('data', read)
    child.once('error', reject)
    child.once('exit', () => reject(new RangeError(`anvil ended: ${text}`)))
  })
}
