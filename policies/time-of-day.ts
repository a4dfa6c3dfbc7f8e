/** Denies new flows outside of opening hours. Times are UTC; a span may go over midnight. */
import { Continue, definePolicy } from "sluice/policy";

interface Options {
  readonly open: readonly { readonly days: readonly Day[]; readonly from: string; readonly to: string }[];
}

const DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"] as const;
type Day = (typeof DAYS)[number];

const MINUTES_PER_DAY = 24 * 60;
const TIME = { type: "string", pattern: "^([01][0-9]|2[0-3]):[0-5][0-9]$" };

export default definePolicy<Options>({
  version: "1",
  options: {
    type: "object",
    additionalProperties: false,
    required: ["open"],
    properties: {
      open: {
        type: "array",
        minItems: 1,
        items: {
          type: "object",
          additionalProperties: false,
          required: ["from", "to"],
          properties: {
            days: { type: "array", items: { type: "string", enum: DAYS }, default: [...DAYS] },
            from: TIME,
            to: TIME,
          },
        },
      },
    },
  },
  create({ options }) {
    const week = openMinutes(options);
    let isOpen = isOpenAt(week, new Date());
    return {
      onNewFlow: (flow) => (isOpen ? Continue : flow.deny("outside of opening hours")),
      // Once a second is often enough, and keeps the clock out of the packets' way.
      onTick: () => {
        isOpen = isOpenAt(week, new Date());
      },
    };
  },
});

/** For each minute of the week, beginning on Sunday, whether it is open. */
function openMinutes({ open }: Options): Uint8Array {
  const week = new Uint8Array(7 * MINUTES_PER_DAY);
  for (const { days, from, to } of open) {
    const first = minutes(from);
    const length = (minutes(to) - first + MINUTES_PER_DAY) % MINUTES_PER_DAY || MINUTES_PER_DAY;
    for (const day of days) {
      const start = DAYS.indexOf(day) * MINUTES_PER_DAY + first;
      for (let minute = 0; minute < length; minute++) week[(start + minute) % week.length] = 1;
    }
  }
  return week;
}

function minutes(time: string): number {
  const [hour, minute] = time.split(":");
  return Number(hour) * 60 + Number(minute);
}

function isOpenAt(week: Uint8Array, date: Date): boolean {
  return week[date.getUTCDay() * MINUTES_PER_DAY + date.getUTCHours() * 60 + date.getUTCMinutes()] === 1;
}
