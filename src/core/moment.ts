const MOMENT = /^(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d)(:\d\d)?(?:\.(\d{1,6}))?)?\s*(Z|[+-]\d\d:?\d\d)?$/;

/**
 * Reads a moment as a person writes it: `2026-11-20 14:05`, with or without seconds and parts of them, in local time; or
 * RFC 3339 with its zone. Answers it in UTC, with all the digits that were given; undefined when it is none.
 */
export function parseMoment(text: string): string | undefined {
  const match = MOMENT.exec(text.trim());
  if (!match) return undefined;
  const [, date, time = "00:00", seconds = ":00", fraction, zone = ""] = match;
  const offset = zone.length === 5 ? `${zone.slice(0, 3)}:${zone.slice(3)}` : zone;
  // Date reads what has no zone as local time, once it has a time of day.
  const whole = new Date(`${date}T${time}${seconds}${offset}`);
  if (Number.isNaN(whole.getTime()) || !isOfCalendar(date!)) return undefined;
  return `${whole.toISOString().slice(0, 19)}${fraction ? `.${fraction}` : ""}Z`;
}

/** Date takes the 31st of November for the 1st of December. */
function isOfCalendar(date: string): boolean {
  const day = new Date(`${date}T00:00:00Z`);
  return !Number.isNaN(day.getTime()) && day.toISOString().startsWith(date);
}

/** A moment as part of a name, in local time: `20261120_1405`. */
export function momentStamp(moment: string): string {
  const at = new Date(moment);
  const two = (value: number) => String(value).padStart(2, "0");
  const day = `${at.getFullYear()}${two(at.getMonth() + 1)}${two(at.getDate())}`;
  return `${day}_${two(at.getHours())}${two(at.getMinutes())}`;
}
