import type { Command } from './commands.js';
import type { Decision } from './decision.js';
import { refuseOversized } from './record-size.js';
import type { Moment, Standing } from './situation.js';
import { decideAcquire } from './verbs/acquire.js';
import { decideAbandon, decideCheckpoint, decideElapse, decideEnlist } from './verbs/internal.js';
import { decideCreate, decideDelete, decideUpdate } from './verbs/manage.js';
import { decideRelease, decideRevoke } from './verbs/end.js';
import { decideWrite } from './verbs/write.js';
import { decideAttend, decideRenew, decideValidate } from './verbs/renew.js';

/** Decides a command: a pure function of the lease's standing, the command and the moment. */
export function decide(standing: Standing, command: Command, moment: Moment): Decision {
  const decision = decideVerb(standing, command, moment);
  const described = decision.kind === 'change' && describing.has(command.kind) ? decision.change.record : undefined;
  const error = described && refuseOversized(described, moment.limits);
  return error === undefined ? decision : { kind: 'refuse', error };
}

/** With these a caller says something of a lease, which may be much. What others change has to go through. */
const describing: ReadonlySet<Command['kind']> = new Set(['acquire', 'create', 'update', 'write']);

function decideVerb(standing: Standing, command: Command, moment: Moment): Decision {
  switch (command.kind) {
    case 'acquire':
      return decideAcquire(standing, command, moment);
    case 'renew':
      return decideRenew(standing, command, moment);
    case 'validate':
      return decideValidate(standing, command);
    case 'release':
      return decideRelease(standing, command, moment);
    case 'revoke':
      return decideRevoke(standing, command, moment);
    case 'create':
      return decideCreate(standing, command, moment);
    case 'update':
      return decideUpdate(standing, command, moment);
    case 'delete':
      return decideDelete(standing, command, moment);
    case 'write':
      return decideWrite(standing, command, moment);
    case 'elapse':
      return decideElapse(standing, command, moment);
    case 'checkpoint':
      return decideCheckpoint(standing, command);
    case 'abandon':
      return decideAbandon(standing, command, moment);
    case 'attend':
      return decideAttend(standing, command, moment);
    case 'enlist':
      return decideEnlist(standing, moment);
  }
}
