/**
 * Runs the task when the program that started this process with a channel to it (IPC) is gone, at once when it is gone already.
 * The channel alone does not keep the process alive; without one nothing happens.
 */
export function onParentGone(task: () => void): void {
  process.once('disconnect', task)
  process.channel?.unref()
  if (process.connected === false) task()
}
