/**
 * Every command there is, in the order in which help lists them.
 */
import type { Command } from '../command.ts';
import { alertsAck } from './alerts-ack.ts';
import { alertsList } from './alerts-list.ts';
import { alertsShow } from './alerts-show.ts';
import { alertsSuppress } from './alerts-suppress.ts';
import { alertsSuppressions } from './alerts-suppressions.ts';
import { alertsTail } from './alerts-tail.ts';
import { alertsUnsuppress } from './alerts-unsuppress.ts';
import { alertsWhy } from './alerts-why.ts';
import { auditArchive } from './audit-archive.ts';
import { auditCheckpoint } from './audit-checkpoint.ts';
import { auditExport } from './audit-export.ts';
import { auditKeyExport } from './audit-key-export.ts';
import { auditKeyRotate } from './audit-key-rotate.ts';
import { auditLog } from './audit-log.ts';
import { auditProve } from './audit-prove.ts';
import { auditRestore } from './audit-restore.ts';
import { auditStatus } from './audit-status.ts';
import { auditVerifyProof } from './audit-verify-proof.ts';
import { auditVerify } from './audit-verify.ts';
import { completion } from './completion.ts';
import { configShow } from './config-show.ts';
import { configValidate } from './config-validate.ts';
import { exportCommand } from './export.ts';
import { health } from './health.ts';
import { query } from './query.ts';
import { rulesDisable } from './rules-disable.ts';
import { rulesEnable } from './rules-enable.ts';
import { rulesImport } from './rules-import.ts';
import { rulesBacktest } from './rules-backtest.ts';
import { rulesList } from './rules-list.ts';
import { rulesPack } from './rules-pack.ts';
import { rulesReload } from './rules-reload.ts';
import { rulesReset } from './rules-reset.ts';
import { rulesSet } from './rules-set.ts';
import { rulesReplay } from './rules-replay.ts';
import { rulesShow } from './rules-show.ts';
import { rulesTest } from './rules-test.ts';
import { rulesValidate } from './rules-validate.ts';
import { rulesVerifyPack } from './rules-verify-pack.ts';
import { tree } from './tree.ts';

export const COMMANDS: readonly Command[] = [
  health,
  alertsList,
  alertsShow,
  alertsWhy,
  alertsTail,
  alertsAck,
  alertsSuppress,
  alertsSuppressions,
  alertsUnsuppress,
  query,
  tree,
  exportCommand,
  rulesList,
  rulesShow,
  rulesValidate,
  rulesTest,
  rulesImport,
  rulesPack,
  rulesVerifyPack,
  rulesReload,
  rulesEnable,
  rulesDisable,
  rulesSet,
  rulesReset,
  rulesReplay,
  rulesBacktest,
  auditLog,
  auditStatus,
  auditVerify,
  auditCheckpoint,
  auditProve,
  auditVerifyProof,
  auditExport,
  auditKeyExport,
  auditKeyRotate,
  auditArchive,
  auditRestore,
  configShow,
  configValidate,
  completion,
];
