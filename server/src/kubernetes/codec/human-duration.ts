/** A span of time as `kubectl` prints ages: two or three digits that matter, down to whole seconds. */
export function humanDuration(ms: number): string {
  const seconds = Math.trunc(ms / 1000);
  // Clocks of two machines may differ by that much.
  if (seconds < -1) return '<invalid>';
  if (seconds < 0) return '0s';
  if (seconds < 2 * minute.seconds) return whole(seconds, second);
  if (seconds < 10 * minute.seconds) return inTwo(seconds, minute, second);
  if (seconds < 3 * hour.seconds) return whole(seconds, minute);
  if (seconds < 8 * hour.seconds) return inTwo(seconds, hour, minute);
  if (seconds < 2 * day.seconds) return whole(seconds, hour);
  if (seconds < 8 * day.seconds) return inTwo(seconds, day, hour);
  if (seconds < 2 * year.seconds) return whole(seconds, day);
  if (seconds < 8 * year.seconds) return inTwo(seconds, year, day);
  return whole(seconds, year);
}

interface Unit {
  readonly name: string;
  readonly seconds: number;
}

function whole(seconds: number, unit: Unit): string {
  return `${Math.floor(seconds / unit.seconds)}${unit.name}`;
}

/** In a unit, and what is left of it in a smaller one, unless nothing is. */
function inTwo(seconds: number, unit: Unit, smaller: Unit): string {
  const rest = seconds % unit.seconds;
  return whole(seconds, unit) + (rest < smaller.seconds ? '' : whole(rest, smaller));
}

const second: Unit = { name: 's', seconds: 1 };
const minute: Unit = { name: 'm', seconds: 60 };
const hour: Unit = { name: 'h', seconds: 3600 };
const day: Unit = { name: 'd', seconds: 86_400 };
const year: Unit = { name: 'y', seconds: 365 * 86_400 };
