/** What can be asked for by name; `chaos` is all of it at once. */
export const scenarioNames = [
  'calm',
  'chaos',
  'partitions',
  'crashes',
  'byzantine',
  'l1',
  'restarts',
  'upgrade',
  'aggregation',
] as const
export type ScenarioName = (typeof scenarioNames)[number]
