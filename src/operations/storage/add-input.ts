import { z } from "zod";
import { repositoryName, s3Place } from "../../config/storage.ts";
import { keysReference } from "../../site/storage-keys.ts";

const { key: _key, key_secret: _secret, path: _path, ...s3Fields } = s3Place.shape;

/** What is needed to reach a place, whichever kind it is; keys are handed over apart. */
export const placeFields = {
  type: z.enum(["disk", "s3"]).describe("disk: a folder of this machine; s3: a bucket of an S3-compatible server"),
  name: repositoryName.describe("What it is called from now on"),
  path: z
    .string()
    .regex(/^\/[^\s'"\\;#\u0000-\u001f\u007f]{0,200}$/, "expected an absolute path without spaces and quotes")
    .refine(
      (path) => path.length > 1 && !/\/\.{0,2}(\/|$)/.test(path),
      "expected a path without . and .., and no / at its end",
    )
    .optional()
    .describe("disk: the folder; s3: the path within the bucket, /homelab by default"),
  endpoint: s3Fields.endpoint.optional().describe("s3: the server's name or address"),
  port: s3Fields.port.unwrap().optional().describe("s3: its port, 443 by default"),
  bucket: s3Fields.bucket.optional().describe("s3: the bucket; it must be there already"),
  region: s3Fields.region
    .unwrap()
    .optional()
    .describe("s3: the region, us-east-1 by default; most servers of one's own take any"),
  uri_style: s3Fields.uri_style
    .unwrap()
    .optional()
    .describe("s3: the bucket in the path (the default), or in the host's name"),
  ca: s3Fields.ca
    .unwrap()
    .unwrap()
    .optional()
    .describe("s3: the CA's certificate in PEM, where the system does not know it"),
};

/** What is missing for a kind of place. */
function lacks(given: { type: "disk" | "s3"; path?: string; endpoint?: string; bucket?: string }): string[] {
  const needed = given.type === "disk" ? (["path"] as const) : (["endpoint", "bucket"] as const);
  return needed.filter((field) => given[field] === undefined);
}

const input = z
  .strictObject({
    ...placeFields,
    keys: z.string().regex(keysReference).optional().describe("s3: where the keys wait; POST /api/storage makes it"),
  })
  .superRefine((given, context) => {
    for (const field of lacks(given))
      context.addIssue({ code: "custom", path: [field], message: `${given.type} needs it` });
    if (given.type === "s3" && !given.keys)
      context.addIssue({ code: "custom", path: ["keys"], message: "s3 needs keys: POST /api/storage takes them" });
  });

export type AddInput = z.infer<typeof input>;
export const addInput: z.ZodType<AddInput> = input;
