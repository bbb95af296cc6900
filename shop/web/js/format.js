/** Money is an integer of minor units, as text, with its currency: {currency: "EUR", minor: "1999"}. */
export function money(value) {
  const minor = BigInt(value?.minor ?? "0");
  const currency = value?.currency || "EUR";
  const format = new Intl.NumberFormat("en-IE", { style: "currency", currency });
  const digits = format.resolvedOptions().maximumFractionDigits;
  return format.format(Number(minor) / 10 ** digits);
}

export function times(value, count) {
  return { currency: value.currency, minor: String(BigInt(value.minor) * BigInt(count)) };
}

export function sum(values, currency = "EUR") {
  let total = 0n;
  for (const value of values) total += BigInt(value.minor);
  return { currency: values[0]?.currency ?? currency, minor: String(total) };
}

export function dateTime(text) {
  const date = new Date(text);
  if (Number.isNaN(date.getTime())) return "";
  return date.toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
}

export function time(text) {
  const date = new Date(text);
  if (Number.isNaN(date.getTime())) return "";
  return date.toLocaleTimeString("en-GB");
}

export function plural(count, one, many = `${one}s`) {
  return `${count} ${count === 1 ? one : many}`;
}
