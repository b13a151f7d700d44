/**
 * pgBackRest's codes for a file of the repository that is not what it was: its checksum, content or form does not hold, it
 * is gone, or it cannot be decrypted (pgBackRest's error.yaml: checksum, file-invalid, format, file-missing, crypto). Its
 * codes have three digits; what stands in brackets with two is the system's errno.
 */
const SPOILT = /\[0(?:26|28|29|55|95)\]/;

/**
 * What speaks against a backup, out of the last lines that a restore of it wrote; undefined where it failed for another
 * reason, such as a full disk or a repository that does not answer.
 */
export function restoreFault(lines: string): string | undefined {
  const errors = lines.split("\n").filter((line) => SPOILT.test(line));
  const says = errors.find((line) => line.includes("ERROR:")) ?? errors[0];
  return says
    ?.replace(/^.*?(ERROR|INFO):\s*/, "")
    .replace(/^(\[\d+\]): (raised from [^:]+: )?/, "")
    .trim();
}
