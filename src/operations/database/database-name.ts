import { z } from "zod";

/** A name that a database may have, whoever made it. No text of PostgreSQL holds a zero character or half of a pair. */
export const databaseName = z
  .string()
  .min(1)
  .max(200)
  .regex(/^[^\u0000]*$/, "must not hold a zero character")
  .refine((text) => text.isWellFormed(), "must be well-formed Unicode");
