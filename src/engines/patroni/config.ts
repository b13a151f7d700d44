import { join } from "node:path";
import { stringify } from "yaml";
import type { SecretName, Secrets } from "../../config/secrets.ts";
import { dcsOnlyParameters } from "../../cluster/sizing.ts";
import type { Topology } from "../../cluster/topology.ts";
import { GENERATED, type RenderedFile } from "../engine.ts";
import { certificateFiles } from "../tls.ts";

export const patroniConfigPath = (topology: Topology): string => join(topology.paths.etc, "patroni.yml");

/** The login of Patroni's REST interface. */
export const RESTAPI_USER = "homelab";

/** The namespace of Patroni's keys in etcd. */
export const patroniKey = (topology: Topology, key: string): string => `/homelab/${topology.scope}/${key}`;

/** Patroni's settings that live in the DCS and hold for every node (Patroni manual, "Dynamic configuration settings"). */
export function dynamicConfiguration(topology: Topology) {
  const { settings, parameters } = topology;
  return {
    ttl: settings.patroni.ttl,
    loop_wait: settings.patroni.loop_wait,
    retry_timeout: settings.patroni.retry_timeout,
    maximum_lag_on_failover: 1024 * 1024,
    // Without it, a dead etcd makes even a single primary read-only (measured: 59 s of failed writes).
    failsafe_mode: true,
    postgresql: { use_pg_rewind: true, use_slots: true, parameters },
  };
}

/**
 * Who may log in how. Patroni owns the whole file: with `bootstrap.pg_hba` it would append to initdb's, whose first
 * lines are `trust`. TLS for all of TCP, SCRAM for all, and the superuser only over the socket. Members reach one another
 * over TCP only where there are several: what HAProxy passes on comes from this node's own address, so a line for a
 * single node would let the whole network in.
 */
export function pgHba(topology: Topology): string[] {
  const nodes = topology.nodes.length > 1 ? topology.nodes : [];
  const members = nodes.map(({ address }) => `${address}/${address.includes(":") ? 128 : 32}`);
  return [
    "local   all         all         scram-sha-256",
    "local   replication replicator  scram-sha-256",
    ...members.flatMap((address) => [
      `hostssl replication replicator ${address} scram-sha-256`,
      `hostssl postgres    rewind     ${address} scram-sha-256`,
    ]),
    "host    all         postgres    all reject",
    "host    all         rewind      all reject",
    "host    all         replicator  all reject",
    "hostssl all         all         all scram-sha-256",
  ];
}

/** Settings of PostgreSQL that hold for this node alone. */
function localParameters(topology: Topology) {
  const tls = certificateFiles(topology.paths);
  return {
    unix_socket_directories: topology.paths.run,
    unix_socket_permissions: "0700",
    ssl: "on",
    ssl_cert_file: tls.cert,
    ssl_key_file: tls.key,
    ssl_ca_file: tls.ca,
    ssl_min_protocol_version: "TLSv1.2",
    logging_collector: "on",
    // A line of text could be forged by whoever puts a newline into a user name; a JSON document cannot.
    log_destination: "jsonlog",
    log_directory: topology.paths.logs,
    log_filename: "postgres-%a.log",
    log_file_mode: "0600",
    log_truncate_on_rotation: "on",
    log_rotation_age: "1d",
    log_rotation_size: 0,
    log_timezone: "UTC",
  };
}

/** patroni.yml. It holds passwords: 0600. */
export function renderPatroni(topology: Topology, secrets: Secrets): RenderedFile {
  const { scope, node, nodes, ports, paths, programs, parameters } = topology;
  const tls = certificateFiles(paths);
  const login = (username: string, secret: SecretName) => ({ username, password: secrets[secret].reveal() });
  const shared = Object.fromEntries(
    Object.entries(parameters).filter(([name]) => !(dcsOnlyParameters as readonly string[]).includes(name)),
  );
  const content = stringify(
    {
      scope,
      namespace: "/homelab/",
      name: node.name,
      log: { level: "INFO", format: "%(asctime)s %(levelname)s: %(message)s" },
      restapi: {
        listen: `${node.address}:${ports.patroni}`,
        connect_address: `${node.address}:${ports.patroni}`,
        certfile: tls.cert,
        keyfile: tls.key,
        cafile: tls.ca,
        // Looking is free inside the cluster; changing anything takes a certificate of the cluster.
        verify_client: "optional",
        authentication: login(RESTAPI_USER, "patroni_restapi"),
      },
      ctl: { cacert: tls.ca, certfile: tls.cert, keyfile: tls.key },
      etcd3: {
        // All members are named here. Were Patroni to ask etcd for them, a frozen etcd would demote the primary before
        // 4.0.7: that question's failure does not count as one for failsafe mode (measured on 3.0.2).
        use_proxies: true,
        hosts: nodes.map((n) => `${n.address}:${ports.etcd_client}`),
        protocol: "https",
        cacert: tls.ca,
        cert: tls.cert,
        key: tls.key,
      },
      bootstrap: {
        dcs: dynamicConfiguration(topology),
        initdb: [
          { encoding: "UTF8" },
          { locale: "C.UTF-8" },
          "data-checksums",
          { "auth-local": "scram-sha-256" },
          { "auth-host": "scram-sha-256" },
        ],
      },
      postgresql: {
        listen: `${node.address}:${ports.postgres}`,
        connect_address: `${node.address}:${ports.postgres}`,
        use_unix_socket: true,
        use_unix_socket_repl: true,
        data_dir: paths.postgresData,
        bin_dir: programs.postgresBin,
        pgpass: join(paths.run, "patroni.pgpass"),
        authentication: {
          superuser: { ...login("postgres", "superuser"), sslmode: "verify-ca", sslrootcert: tls.ca },
          replication: { ...login("replicator", "replication"), sslmode: "verify-ca", sslrootcert: tls.ca },
          rewind: { ...login("rewind", "rewind"), sslmode: "verify-ca", sslrootcert: tls.ca },
        },
        create_replica_methods: ["basebackup"],
        basebackup: { checkpoint: "fast" },
        pg_hba: pgHba(topology),
        parameters: { ...shared, ...localParameters(topology) },
      },
      watchdog: { mode: "off" },
      tags: { nofailover: false, noloadbalance: false, clonefrom: false, nosync: false },
    },
    // Python reads YAML 1.1, where a password such as 12_34 or a node called "no" would be no text.
    { lineWidth: 0, compat: "yaml-1.1" },
  );
  return { path: patroniConfigPath(topology), content: `# ${GENERATED}\n${content}`, mode: 0o600, onChange: "reload" };
}
