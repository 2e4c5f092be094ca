import type { Chance } from '../support/chance.js';

/** What a holder's network is like. */
export interface HolderWeather {
  readonly loss: number;
  readonly slow: number;
  readonly slowMsMax: number;
}

export const calm: HolderWeather = { loss: 0, slow: 0, slowMsMax: 0 };

export const quickMsMax = 5;

/** How long one message takes. */
export function delayMs(chance: Chance, { slow, slowMsMax }: HolderWeather): number {
  return chance.between(0, chance.happens(slow) ? slowMsMax : quickMsMax);
}
