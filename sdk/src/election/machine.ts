/**
 * The state machine of an election: what to do next, and nothing about how. It is pure; `election.ts` makes the calls.
 *
 * ```
 *              won                 the term is over, stop, resign              the work has stopped, or its time is up
 * campaigning ─────▶ leading ─────────────────────────────────────▶ stopping ─────────────────────────────────────────▶ ending
 *   ▲   │  ▲                                                                                                              │
 *   │   │  └─────────────────────────────── the term has ended, and so has its work ─────────────────────────────────────┤
 *   │   ▼ not won                                                                              its work still runs        ▼
 *  pausing                                                                        campaigning, ended ◀────────────── outlasting
 * ```
 */
export type ElectionState =
  | { readonly phase: 'campaigning'; readonly failures: number }
  /** Stopped while campaigning: what the campaign comes to is awaited. */
  | { readonly phase: 'cancelling'; readonly exit: Exit }
  | { readonly phase: 'pausing'; readonly failures: number }
  /** `working`: the work has not returned yet. */
  | { readonly phase: 'leading'; readonly working: boolean }
  /** The term's signal has aborted, the lease is still ours for a while, and the work is awaited. */
  | { readonly phase: 'stopping'; readonly exit: Exit }
  /** The lease is being given back. `working`: the work did not stop in its time. */
  | { readonly phase: 'ending'; readonly exit: Exit; readonly working: boolean }
  /** The term has ended, but its work still runs: two terms of one process must not overlap. */
  | { readonly phase: 'outlasting'; readonly exit: Exit }
  | { readonly phase: 'ended' };

/** What follows a term. */
export interface Exit {
  /** `pause`: campaign, but let others go first. */
  readonly then: 'campaign' | 'pause' | 'end';
  /** How the lease is left: given back, handed to a waiter, or left to run out. */
  readonly leave: Leave;
  /** What the election rejects with. Only together with `end`. */
  readonly failure?: Failure;
}

/** How a lease is left. */
export type Leave = { readonly how: 'release' | 'abandon' } | { readonly how: 'transfer'; readonly to: string };

/** A reason to reject with; an object of its own, for anything can be thrown. */
export interface Failure {
  readonly error: unknown;
}

/** What happens to an election. */
export type ElectionEvent =
  | { readonly type: 'won' }
  /** The campaign failed; with a failure there is no use in another. `waited`: it was in the queue for as long as it asked to be. */
  | { readonly type: 'notWon'; readonly failure?: Failure; readonly waited?: boolean }
  | { readonly type: 'pauseOver' }
  /** The term's signal has aborted: the lease is lost, or announced to be. */
  | { readonly type: 'termOver' }
  | { readonly type: 'workEnded'; readonly failure?: Failure }
  /** The server may give the lease to somebody else, and the work still runs. */
  | { readonly type: 'timeUp' }
  /** The lease was left, and the stop reported. */
  | { readonly type: 'termEnded'; readonly failure?: Failure }
  | { readonly type: 'resign'; readonly transferTo?: string | undefined }
  | { readonly type: 'stop' }
  /** Something of the caller's threw that is not the work. */
  | { readonly type: 'fail'; readonly failure: Failure };

/** What to do. */
export type ElectionEffect =
  | { readonly do: 'campaign' }
  | { readonly do: 'cancelCampaign' }
  /** Wait before the next campaign. Without failures: for as long as others need to get ahead. */
  | { readonly do: 'pause'; readonly failures: number }
  | { readonly do: 'cancelPause' }
  | { readonly do: 'startWork' }
  /** Abort the term's signal, while the lease is still held. */
  | { readonly do: 'abortTerm' }
  /** Tell when the time for stopping is up. */
  | { readonly do: 'limitWork' }
  | { readonly do: 'reportOverrun' }
  /** Leave the lease, then report that the leading has stopped. `led`: work was started under it. */
  | { readonly do: 'endTerm'; readonly leave: Leave; readonly led: boolean }
  /** Settle. `overran`: the work still runs. */
  | { readonly do: 'settle'; readonly failure?: Failure | undefined; readonly overran: boolean };

/** What differs between elections. */
export interface ElectionRules {
  /** Whether work that returns by itself ends the election; otherwise the leading goes on. */
  readonly endsWithWork: boolean;
  /** Whether a stop gives the lease back at once; otherwise it is left to run out. */
  readonly releasesOnStop: boolean;
}

/** A state and what to do on entering it. */
export type Step = readonly [state: ElectionState, effects: readonly ElectionEffect[]];

/** How an election starts. */
export function begin(): Step {
  return campaign(0);
}

/** What an event makes of a state. An event that means nothing in a state changes nothing. */
export function advance(state: ElectionState, event: ElectionEvent, rules: ElectionRules): Step {
  switch (state.phase) {
    case 'campaigning':
      return whileCampaigning(state, event);
    case 'cancelling':
      if (event.type === 'won') return [{ phase: 'ending', exit: state.exit, working: false }, [endTerm(state.exit, false)]];
      if (event.type === 'notWon') return settle(state.exit.failure ?? event.failure);
      return [state, []];
    case 'pausing':
      if (event.type === 'pauseOver') return campaign(state.failures);
      if (event.type === 'stop') return settle(undefined, { do: 'cancelPause' });
      if (event.type === 'fail') return settle(event.failure, { do: 'cancelPause' });
      return [state, []];
    case 'leading':
      return whileLeading(state, event, rules);
    case 'stopping':
      return whileStopping(state, event, rules);
    case 'ending':
      return whileEnding(state, event, rules);
    case 'outlasting':
      return whileOutlasting(state, event);
    case 'ended':
      return [state, []];
  }
}

function whileCampaigning(state: Extract<ElectionState, { phase: 'campaigning' }>, event: ElectionEvent): Step {
  switch (event.type) {
    case 'won':
      return [{ phase: 'leading', working: true }, [{ do: 'startWork' }]];
    case 'notWon':
      if (event.failure !== undefined) return settle(event.failure);
      return pause(event.waited === true ? 1 : state.failures + 1);
    case 'stop':
      return [{ phase: 'cancelling', exit: { then: 'end', leave: release } }, [{ do: 'cancelCampaign' }]];
    case 'fail': {
      const exit: Exit = { then: 'end', leave: release, failure: event.failure };
      return [{ phase: 'cancelling', exit }, [{ do: 'cancelCampaign' }]];
    }
    default:
      return [state, []];
  }
}

function whileLeading(state: Extract<ElectionState, { phase: 'leading' }>, event: ElectionEvent, rules: ElectionRules): Step {
  switch (event.type) {
    case 'termOver':
      return leaveTerm(state.working, { then: 'campaign', leave: release }, []);
    case 'workEnded':
      if (event.failure !== undefined) return end({ then: 'end', leave: release, failure: event.failure });
      return rules.endsWithWork ? end({ then: 'end', leave: release }) : [{ phase: 'leading', working: false }, []];
    case 'resign':
    case 'stop':
    case 'fail':
      return leaveTerm(state.working, exitBy(event, rules), [{ do: 'abortTerm' }]);
    default:
      return [state, []];
  }
}

function whileStopping(state: Extract<ElectionState, { phase: 'stopping' }>, event: ElectionEvent, rules: ElectionRules): Step {
  switch (event.type) {
    case 'workEnded':
      return end(withFailure(state.exit, event.failure));
    case 'timeUp':
      return [{ phase: 'ending', exit: state.exit, working: true }, [{ do: 'reportOverrun' }, endTerm(state.exit, true)]];
    case 'resign':
    case 'stop':
    case 'fail':
      return [{ phase: 'stopping', exit: amended(state.exit, exitBy(event, rules)) }, []];
    default:
      return [state, []];
  }
}

function whileEnding(state: Extract<ElectionState, { phase: 'ending' }>, event: ElectionEvent, rules: ElectionRules): Step {
  switch (event.type) {
    case 'termEnded': {
      const exit = withFailure(state.exit, event.failure);
      if (!state.working) return goOn(exit);
      return exit.then === 'end' ? settleOverrun(exit) : [{ phase: 'outlasting', exit }, []];
    }
    case 'workEnded':
      return [{ phase: 'ending', exit: withFailure(state.exit, event.failure), working: false }, []];
    case 'stop':
    case 'fail':
      // How the lease is left has been decided.
      return [{ ...state, exit: { ...amended(state.exit, exitBy(event, rules)), leave: state.exit.leave } }, []];
    default:
      return [state, []];
  }
}

function whileOutlasting(state: Extract<ElectionState, { phase: 'outlasting' }>, event: ElectionEvent): Step {
  switch (event.type) {
    case 'workEnded':
      return goOn(withFailure(state.exit, event.failure));
    case 'stop':
      return settleOverrun({ ...state.exit, then: 'end' });
    case 'fail':
      return settleOverrun({ ...state.exit, then: 'end', failure: event.failure });
    default:
      return [state, []];
  }
}

const release: Leave = { how: 'release' };

function campaign(failures: number): Step {
  return [{ phase: 'campaigning', failures }, [{ do: 'campaign' }]];
}

function pause(failures: number): Step {
  return [{ phase: 'pausing', failures }, [{ do: 'pause', failures }]];
}

/** Work that still runs is told and awaited before the lease is left. */
function leaveTerm(working: boolean, exit: Exit, first: readonly ElectionEffect[]): Step {
  if (working) return [{ phase: 'stopping', exit }, [...first, { do: 'limitWork' }]];
  const [state, effects] = end(exit);
  return [state, [...first, ...effects]];
}

function end(exit: Exit): Step {
  return [{ phase: 'ending', exit, working: false }, [endTerm(exit, true)]];
}

function endTerm({ leave }: Exit, led: boolean): ElectionEffect {
  return { do: 'endTerm', leave, led };
}

function goOn({ then, failure }: Exit): Step {
  if (then === 'end') return settle(failure);
  return then === 'pause' ? pause(0) : campaign(0);
}

function settle(failure: Failure | undefined, ...first: ElectionEffect[]): Step {
  return [{ phase: 'ended' }, [...first, { do: 'settle', failure, overran: false }]];
}

function settleOverrun({ failure }: Exit): Step {
  return [{ phase: 'ended' }, [{ do: 'settle', failure, overran: true }]];
}

/** What a wish to leave asks for. */
function exitBy(event: Extract<ElectionEvent, { type: 'resign' | 'stop' | 'fail' }>, rules: ElectionRules): Exit {
  switch (event.type) {
    case 'resign':
      return {
        then: 'pause',
        leave: event.transferTo === undefined ? release : { how: 'transfer', to: event.transferTo },
      };
    case 'stop':
      return { then: 'end', leave: rules.releasesOnStop ? release : { how: 'abandon' } };
    case 'fail':
      return { then: 'end', leave: release, failure: event.failure };
  }
}

/** A second wish on top of a first: an end stays an end, the first failure counts, and a hand-over is not forgotten. */
function amended(exit: Exit, wish: Exit): Exit {
  const failure = exit.failure ?? wish.failure;
  // Who resigned gives the lease back, whatever a stop that follows would do with it.
  const stays = exit.leave.how !== 'release' || (exit.then === 'pause' && wish.leave.how === 'abandon');
  const leave = stays ? exit.leave : wish.leave;
  const then = exit.then === 'end' ? 'end' : wish.then;
  return failure === undefined ? { then, leave } : { then, leave, failure };
}

function withFailure(exit: Exit, failure: Failure | undefined): Exit {
  return failure === undefined ? exit : amended(exit, { then: 'end', leave: exit.leave, failure });
}
