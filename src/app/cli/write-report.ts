import { writeFile } from 'node:fs/promises'

/** Prints a measurement as its table, and as JSON where `json` says: a file, or - for standard output in place of the table. */
export async function writeReport({
  report,
  table,
  json,
}: {
  report: object
  table: string
  json: string | undefined
}): Promise<void> {
  if (json !== '-') console.log(table)
  if (!json) return
  const text = `${JSON.stringify(report, null, 2)}\n`
  if (json === '-') process.stdout.write(text)
  else await writeFile(json, text)
}
