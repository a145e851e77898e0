import path from 'node:path'
import { Command } from 'commander'
import type { SigningDomain } from '../../base/protocol/signing-domain.js'
import { parseSignerAddress, showSignerAddress } from '../../io/keys/signer-address.js'
import { SignerServer } from '../../io/keys/signer-server.js'
import { loadSignerToken } from '../../io/keys/signer-token.js'
import { stopFields } from '../../io/keys/signing-record.js'
import { PinoLogger } from '../../io/telemetry/pino-logger.js'
import { systemClock } from '../../io/time/system-clock.js'
import { endOnUncaught } from '../end-on-uncaught.js'
import { readNetworkFile } from '../node/network-file.js'
import { openGuardedSigner } from '../open-guarded-signer.js'
import { openSecretKey } from './keys-command.js'
import { resumeSigningOption } from './resume-signing-option.js'

interface SignerFlags {
  readonly network: string
  readonly keystore: string
  readonly passwordFile: string
  readonly record: string
  readonly listen: string
  readonly authTokenFile: string
  readonly newRecord?: boolean
  readonly resumeSigning?: string
}

/** `morphism signer`: holds a consensus key and its signing record for a node that runs elsewhere on this machine. */
export function signerCommand(): Command {
  return new Command('signer')
    .description('Hold a consensus key and sign for a node (morphism node --remote-signer).')
    .requiredOption('--network <file>', 'network file that all nodes share')
    .requiredOption('--keystore <file>', 'EIP-2335 keystore of the consensus key')
    .requiredOption('--password-file <file>', 'file that holds the password of the keystore')
    .requiredOption('--record <file>', 'signing record: never to be lost, copied back or shared')
    .requiredOption('--listen <address>', 'unix:/path (mode 0600) or tcp://127.0.0.1:port')
    .requiredOption('--auth-token-file <file>', 'file that holds the token shared with the node, 32 characters or more')
    .option('--new-record', 'begin the signing record where it is missing: for a key that has never signed')
    .addOption(resumeSigningOption())
    .action(async (flags: SignerFlags) => {
      const address = parseSignerAddress(flags.listen)
      const token = await loadSignerToken(flags.authTokenFile)
      const { l1 } = await readNetworkFile(flags.network)
      const domain: SigningDomain = { l1ChainId: l1.chainId, rollup: l1.contracts.rollup }
      const logger = PinoLogger.create({ level: 'info' })
      const signer = await openGuardedSigner({
        secretKey: await openSecretKey({ file: flags.keystore, passwordFile: flags.passwordFile }),
        domain,
        recordPath: path.resolve(flags.record),
        resumes: flags.resumeSigning ?? null,
        beginsRecord: flags.newRecord ?? false,
        beginFlag: '--new-record',
        logger,
      })
      endOnUncaught(logger)
      const ports = { signer, domain, token, clock: systemClock, logger }
      const server = await SignerServer.start({ address, ports }).catch(async error => {
        await signer.close()
        throw error
      })
      if (signer.stop)
        logger.error('signing is stopped; see the operations part of the README', stopFields(signer.stop))
      logger.info('signer is listening', { address: showSignerAddress(server.address) })
      await new Promise<void>(resolve => {
        for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve())
      })
      await server.close()
      await signer.close()
      process.exit(0)
    })
}
