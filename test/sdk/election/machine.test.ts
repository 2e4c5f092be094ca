import { describe, expect, it } from 'vitest';
import {
  advance,
  begin,
  type ElectionEffect,
  type ElectionEvent,
  type ElectionRules,
  type ElectionState,
} from '../../../sdk/dist/election/machine.js';

/**
 * Every way that an election can go: all states that can be reached with all that can happen in them, and the rules that hold in each.
 */

/** What is under way because of the effects so far. */
interface World {
  readonly state: ElectionState;
  readonly campaigning: boolean;
  readonly pausing: boolean;
  readonly holds: boolean;
  /** Work was started under the lease. */
  readonly led: boolean;
  readonly working: boolean;
  readonly aborted: boolean;
  readonly limited: boolean;
  readonly ending: boolean;
  readonly stopped: boolean;
  readonly settled: boolean;
}

const idle: Omit<World, 'state'> = {
  campaigning: false,
  pausing: false,
  holds: false,
  led: false,
  working: false,
  aborted: false,
  limited: false,
  ending: false,
  stopped: false,
  settled: false,
};

const failure = { error: new Error('thrown') };
const rulesOf: readonly ElectionRules[] = [true, false].flatMap((endsWithWork) =>
  [true, false].map((releasesOnStop) => ({ endsWithWork, releasesOnStop })),
);

describe.each(rulesOf)('an election where work ends it: $endsWithWork, a stop releases: $releasesOnStop', (rules) => {
  const worlds = explore(rules);

  it('has every state within reach', () => {
    const phases = new Set([...worlds.values()].map(({ state }) => state.phase));
    expect([...phases].sort()).toEqual(
      ['campaigning', 'cancelling', 'ended', 'ending', 'leading', 'outlasting', 'pausing', 'stopping'].sort(),
    );
  });

  it('settles from everywhere once it is stopped and everything under way comes to an end', () => {
    for (const world of worlds.values()) {
      let now = happen(world, { type: 'stop' }, rules);
      for (let steps = 0; !now.settled; steps += 1) {
        expect(steps).toBeLessThan(10);
        const event = possible(now).find(({ type }) => ['won', 'pauseOver', 'workEnded', 'termEnded'].includes(type));
        if (event === undefined) throw new Error(`stuck: ${JSON.stringify(now)}`);
        now = happen(now, event, rules);
      }
    }
  });

  it('leads again after a loss', () => {
    const lost = [...worlds.values()].filter(({ state, stopped }) => state.phase === 'leading' && !stopped);
    expect(lost).not.toHaveLength(0);
    for (const world of lost) {
      let now = happen(world, { type: 'termOver' }, rules);
      if (now.working) now = happen(now, { type: 'workEnded' }, rules);
      now = happen(now, { type: 'termEnded' }, rules);
      expect(now.state.phase).toBe('campaigning');
    }
  });
});

/** All worlds within reach. The rules are checked on the way, by `apply`. */
function explore(rules: ElectionRules): Map<string, World> {
  const worlds = new Map<string, World>();
  const [state, effects] = begin();
  const todo: World[] = [effects.reduce<World>(apply, { ...idle, state })];
  for (let world = todo.pop(); world !== undefined; world = todo.pop()) {
    const key = JSON.stringify(world, (name, value: unknown) => (name === 'failures' ? Math.min(Number(value), 2) : value));
    if (worlds.has(key)) continue;
    worlds.set(key, world);
    for (const event of possible(world)) todo.push(happen(world, event, rules));
  }
  return worlds;
}

/** What can happen next. */
function possible(world: World): ElectionEvent[] {
  const events: ElectionEvent[] = [
    { type: 'stop' },
    { type: 'resign' },
    { type: 'resign', transferTo: 'b' },
    { type: 'fail', failure },
  ];
  if (world.campaigning)
    events.push({ type: 'won' }, { type: 'notWon' }, { type: 'notWon', failure }, { type: 'notWon', waited: true });
  if (world.pausing) events.push({ type: 'pauseOver' });
  if (world.holds && !world.aborted && !world.ending) events.push({ type: 'termOver' });
  if (world.working) events.push({ type: 'workEnded' }, { type: 'workEnded', failure });
  if (world.limited && world.working && !world.ending) events.push({ type: 'timeUp' });
  if (world.ending) events.push({ type: 'termEnded' }, { type: 'termEnded', failure });
  return events;
}

function happen(world: World, event: ElectionEvent, rules: ElectionRules): World {
  const before = happened(world, event);
  const [state, effects] = advance(world.state, event, rules);
  const after = effects.reduce<World>(apply, { ...before, state });
  // Nothing is forgotten: an election that has not settled has something under way, and one that has settled does nothing more.
  if (after.settled) expect([after.campaigning, after.pausing, after.ending, after.holds]).toEqual([false, false, false, false]);
  else expect(after.campaigning || after.pausing || after.ending || after.holds || after.working).toBe(true);
  return after;
}

/** The world after an event, before anything is done about it. */
function happened(world: World, event: ElectionEvent): World {
  switch (event.type) {
    case 'won':
      return { ...world, campaigning: false, holds: true, led: false, aborted: false };
    case 'notWon':
      return { ...world, campaigning: false };
    case 'pauseOver':
      return { ...world, pausing: false };
    case 'termOver':
      return { ...world, aborted: true };
    case 'workEnded':
      return { ...world, working: false, limited: false };
    case 'timeUp':
      return { ...world, limited: false };
    case 'termEnded':
      return { ...world, ending: false, holds: false };
    case 'stop':
      return { ...world, stopped: true };
    case 'resign':
    case 'fail':
      return world;
  }
}

/** The world after an effect, which must be allowed in it. */
function apply(world: World, effect: ElectionEffect): World {
  expect(world.settled).toBe(false);
  switch (effect.do) {
    case 'campaign':
      // Never while the last term's lease or work is still there, nor after a stop.
      expect([world.campaigning, world.pausing, world.holds, world.working, world.stopped]).toEqual(Array(5).fill(false));
      return { ...world, campaigning: true };
    case 'cancelCampaign':
      expect(world.campaigning).toBe(true);
      return world;
    case 'pause':
      expect([world.pausing, world.holds, world.working]).toEqual([false, false, false]);
      return { ...world, pausing: true };
    case 'cancelPause':
      expect(world.pausing).toBe(true);
      return { ...world, pausing: false };
    case 'startWork':
      expect([world.holds, world.working, world.stopped]).toEqual([true, false, false]);
      return { ...world, working: true, led: true };
    case 'abortTerm':
      expect([world.holds, world.ending]).toEqual([true, false]);
      return { ...world, aborted: true };
    case 'limitWork':
      expect([world.working, world.aborted]).toEqual([true, true]);
      return { ...world, limited: true };
    case 'reportOverrun':
      expect(world.working).toBe(true);
      return world;
    case 'endTerm':
      // Once for each term; and work that runs has been told to stop, and given its time, before the lease is left.
      expect([world.holds, world.ending]).toEqual([true, false]);
      if (world.working) expect([world.aborted, world.limited]).toEqual([true, false]);
      expect(effect.led).toBe(world.led);
      return { ...world, ending: true };
    case 'settle':
      expect(effect.overran).toBe(world.working);
      return { ...world, settled: true };
  }
}
