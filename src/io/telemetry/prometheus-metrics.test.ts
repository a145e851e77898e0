import { expect, test } from 'vitest'
import { PrometheusMetrics } from './prometheus-metrics.js'

test('members of one metric are told apart by their labels', async () => {
  const metrics = new PrometheusMetrics()
  for (const endpoint of ['0', '1']) {
    metrics.gauge('morphism_l1_endpoint_lag_blocks', 'Lag', { endpoint }).set(3 + Number(endpoint))
    metrics.counter('morphism_l1_endpoint_failures_total', 'Failures', { endpoint }).inc()
  }
  metrics.counter('morphism_l1_endpoint_failures_total', 'Failures', { endpoint: '1' }).inc(4)
  metrics.gauge('morphism_l1_head_number', 'Head').set(7)
  const lines = (await metrics.text()).split('\n').filter(line => line.startsWith('morphism_'))
  expect(lines).toEqual([
    'morphism_l1_endpoint_lag_blocks{endpoint="0"} 3',
    'morphism_l1_endpoint_lag_blocks{endpoint="1"} 4',
    'morphism_l1_endpoint_failures_total{endpoint="0"} 1',
    'morphism_l1_endpoint_failures_total{endpoint="1"} 5',
    'morphism_l1_head_number 7',
  ])
})
