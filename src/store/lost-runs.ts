/**
 * Ends, in a platform database that came back with a cluster, every run that was under way when the machine was lost.
 * Nobody may go on with one: what it had done beside the database is gone. Constant statements for a superuser's session.
 */
export const endLostRuns: readonly string[] = [
  `DELETE FROM public.workflow_locks WHERE workflow_id IN (SELECT id FROM public.workflows WHERE state = 'running')`,
  `UPDATE public.workflows
   SET status = 'failed', state = 'failed', completed_at = pg_catalog.now(), current_step = NULL, progress = NULL,
       error_message = 'the machine was lost while it ran',
       error = '{"code":"failed","message":"the machine was lost while it ran"}'
   WHERE state = 'running'`,
];

/** Whether there is a journal in this database, of the shape that is known here. */
export const HAS_JOURNAL = `SELECT pg_catalog.count(*) = 1 AS there FROM pg_catalog.pg_attribute
  WHERE attrelid = pg_catalog.to_regclass('public.workflows') AND attname = 'holder'
    AND pg_catalog.to_regclass('public.workflow_locks') IS NOT NULL`;
