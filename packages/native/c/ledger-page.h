/* A page of audit entries as SQLite put them together (src/ledger-hash.ts has the expression), and what comes of it. */
#ifndef SENTINELD_NATIVE_LEDGER_PAGE_H
#define SENTINELD_NATIVE_LEDGER_PAGE_H

#include <stddef.h>
#include <stdint.h>

enum { RUN_NUMBERS = 2 };

struct ledger_page {
  const uint8_t *bytes;
  size_t length;
  /* Rows that it has, if it is right. */
  size_t count;
  /* Of every row. */
  uint64_t version;
  const uint8_t *key_id;
  size_t key_id_length;

  /* Of the row before the page; then of the newest row that holds. */
  uint64_t sequence;
  uint64_t timestamp;
  const uint8_t *entry_hash;

  /* The caller's: 32 bytes a row, a number a row, RUN_NUMBERS a row. */
  uint8_t *leaves;
  uint32_t *ends;
  double *runs;

  size_t run_count;
  size_t clock_went_back;
  /* -1 where it never did. */
  double first_clock_went_back;
};

/* How many rows hold, from the first on. The page may hold anything: nothing outside of it is read. */
size_t check_ledger_page(struct ledger_page *page);

#endif
