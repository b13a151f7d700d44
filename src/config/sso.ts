import { z } from "zod";

/** Names that no public DNS gives an address, so that their owner is in the same house. */
const PRIVATE_NAME = /^[a-z0-9-]+$|\.(localhost|local|internal|lan|home\.arpa)$/;

/** Hosts to which plain http may be spoken; a name that only begins like a private address is none. */
function isPrivateHost(host: string): boolean {
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(host)) return /^(127|10|192\.168|172\.(1[6-9]|2\d|3[01]))\./.test(host);
  if (host.startsWith("[")) return host === "[::1]" || /^\[f[cd][0-9a-f]{2}:/.test(host);
  return PRIVATE_NAME.test(host);
}

/** As OpenID Connect wants an issuer: a URL without query and fragment; and without a login, which would be shown. */
function isIssuer(text: string): boolean {
  const url = URL.parse(text);
  if (!url || /[?#\s]/.test(text) || url.username || url.password) return false;
  return url.protocol === "https:" || (url.protocol === "http:" && isPrivateHost(url.hostname));
}

const members = (help: string) => z.array(z.string().min(1).max(200)).default([]).describe(help);

/** One line of printable ASCII, as OAuth has it for clients (RFC 6749, appendix A). */
const clientText = (longest: number) =>
  z.string().regex(new RegExp(`^[\\x20-\\x7e]{1,${longest}}$`), "expected printable ASCII characters");

/** Single sign-on with an OpenID Connect provider; without the block there are local accounts only. */
export const sso = z
  .strictObject({
    issuer: z
      .string()
      .max(500)
      .refine(isIssuer, "expected an https URL without query (http only for a private address or name)")
      .describe("The provider's address, exactly as it calls itself (`issuer` in its discovery document)"),
    client_id: clientText(255).describe("Our name at the provider"),
    client_secret: clientText(1024).optional().meta({
      description: "Our password at the provider, best as `${file:/path}`; none for a public client (PKCE alone)",
      // JSON Schema's own word for a value that is taken and never handed out.
      writeOnly: true,
    }),
    scopes: z
      .array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,100}$/, "expected a scope's name"))
      .refine((scopes) => scopes.includes("openid"), "expected openid among the scopes")
      .default(["openid", "profile", "email"])
      .describe("What the provider is asked for; some give groups only with a scope `groups`"),
    name: z.string().min(1).max(60).default("Single sign-on").describe("What the button on the login page says"),
    role_claim: z
      .string()
      .min(1)
      .max(200)
      .default("groups")
      .describe("The claim that decides on roles; a dot reaches into a map, as in `realm_access.roles`"),
    roles: z
      .strictObject({
        admin: members("Values of the claim that make an admin"),
        operator: members("Values of the claim that make an operator"),
        viewer: members("Values of the claim that make a viewer"),
      })
      .prefault({}),
    default_role: z
      .enum(["viewer", "operator", "none"])
      .default("none")
      .describe("The role of an account without any of these values; none lets it not in"),
  })
  .refine(
    ({ roles, default_role }) => default_role !== "none" || Object.values(roles).some((values) => values.length > 0),
    "nobody could log in: name values under roles, or set default_role",
  );

/** How we stand with the provider. */
export type SsoSettings = z.infer<typeof sso>;
