/**
 * What a caller may ask for. `read` looks; `provision` makes and changes databases; `operate` runs services, pools and
 * backups; `admin` does everything, users and keys among it. Each but `read` contains `read`.
 */
export type Scope = "read" | "provision" | "operate" | "admin";
