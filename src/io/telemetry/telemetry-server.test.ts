import { connect } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { PrometheusMetrics } from './prometheus-metrics.js'
import { type Health, TelemetryServer } from './telemetry-server.js'

let health: Health
let metrics: PrometheusMetrics
let server: TelemetryServer
beforeEach(async () => {
  health = { healthy: true, status: 'ok', height: 12, stake: 5n }
  metrics = new PrometheusMetrics()
  server = await TelemetryServer.start({ port: 0, metrics: () => metrics.text(), health: () => health })
})
afterEach(() => server.close())

const get = (path: string, init?: RequestInit) => fetch(`${server.url}${path}`, init)

describe('PrometheusMetrics', () => {
  it('shows what was counted, set and observed, and the metrics of the process', async () => {
    metrics.counter('morphism_test_things_total', 'Things').inc(3)
    metrics.counter('morphism_test_things_total', 'Things').inc()
    metrics.gauge('morphism_test_level_units', 'Level').set(-2)
    metrics.histogram('morphism_test_time_ms', 'Time', [1, 10]).observe(5)
    const text = await metrics.text()
    expect(text).toContain('morphism_test_things_total 4\n')
    expect(text).toContain('morphism_test_level_units -2\n')
    expect(text).toContain('morphism_test_time_ms_bucket{le="1"} 0\n')
    expect(text).toContain('morphism_test_time_ms_bucket{le="10"} 1\n')
    expect(text).toContain('process_cpu_seconds_total')
  })

  it('counts each value of a label apart', async () => {
    for (const reason of ['slow', 'slow', 'rude'])
      metrics.counter('morphism_test_refusals_total', 'Refusals', { reason }).inc()
    const text = await metrics.text()
    expect(text).toContain('morphism_test_refusals_total{reason="slow"} 2\n')
    expect(text).toContain('morphism_test_refusals_total{reason="rude"} 1\n')
  })

  it('keeps the metrics of two nodes in one process apart', async () => {
    metrics.counter('morphism_test_things_total', 'Things').inc(3)
    expect(await new PrometheusMetrics().text()).not.toContain('morphism_test_things_total')
  })

  it('refuses other names and a second kind of one name', () => {
    expect(() => metrics.counter('things_total', 'x')).toThrow(/morphism_/)
    expect(() => metrics.counter('morphism_two-words', 'x')).toThrow(/morphism_/)
    metrics.counter('morphism_test_x_total', 'x')
    expect(() => metrics.gauge('morphism_test_x_total', 'x')).toThrow(/one kind/)
  })
})

describe('TelemetryServer', () => {
  it('serves the metrics', async () => {
    metrics.gauge('morphism_test_level_units', 'Level').set(7)
    const response = await get('/metrics')
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toContain('text/plain; version=0.0.4')
    expect(await response.text()).toContain('morphism_test_level_units 7\n')
  })

  it('says whether the node is healthy, in status and body', async () => {
    const well = await get('/health')
    expect([well.status, await well.json()]).toEqual([200, { healthy: true, status: 'ok', height: 12, stake: '5' }])
    health = { healthy: false, status: 'syncing' }
    const ill = await get('/health?x=1')
    expect([ill.status, await ill.json()]).toEqual([503, { healthy: false, status: 'syncing' }])
  })

  it('answers nothing else', async () => {
    expect((await get('/')).status).toBe(404)
    expect((await get('/metrics/x')).status).toBe(404)
    expect((await get('/health', { method: 'POST', body: 'x'.repeat(100_000) })).status).toBe(405)
  })

  it('survives what is no HTTP', async () => {
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1')
    socket.on('error', () => {})
    const closed = new Promise(resolve => socket.resume().on('close', resolve))
    socket.write(Buffer.alloc(20_000, 0xff))
    await closed
    expect((await get('/health')).status).toBe(200)
  })

  it('says that its port is in use', async () => {
    const port = Number(new URL(server.url).port)
    const second = TelemetryServer.start({ port, metrics: () => metrics.text(), health: () => health })
    await expect(second).rejects.toMatchObject({ name: 'TelemetryError', code: 'LISTEN_FAILED' })
  })
})
