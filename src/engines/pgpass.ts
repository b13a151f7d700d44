/** The line of a password file that fits every connection; colon and backslash are escaped (manual, 34.16). */
export const pgpassLine = (password: string): string => `*:*:*:*:${password.replace(/[\\:]/g, "\\$&")}\n`;
