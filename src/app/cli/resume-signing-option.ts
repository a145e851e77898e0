import { InvalidArgumentError, Option } from 'commander'

/** `--resume-signing`, which names the one stop that it ends: left in a unit file it ends no other. */
export const resumeSigningOption = (): Option =>
  new Option(
    '--resume-signing <stop>',
    'sign again after this stop (a height, or batch-N, as the log says): only when no other instance of the key runs',
  ).argParser(text => {
    if (/^(batch-)?(0|[1-9]\d{0,15})$/.test(text)) return text
    throw new InvalidArgumentError('give the height of the stop, or batch-N, as the log says.')
  })
