/*
 * Reads the rows of a page and checks each against its hashes and the row before (docs/ledger-format.md, rules 1, 3, 5, 6
 * and 7). No byte of it is trusted: a length is compared with what is left before anything behind it is looked at.
 */
#include "ledger-page.h"

#include "hash.h"

#include <string.h>

/* Between the columns of a row. Details are JSON, which has no line break; a text that has one does not hold here. */
static const uint8_t SEPARATOR = '\n';

enum {
  /* Rows that are hashed together. */
  BATCH = 32,
  LARGEST_CANONICAL = 512,
  /* 00, the canonical bytes, and the padding of SHA-256, in whole blocks. */
  LEAF_ROOM = 576,
  LARGEST_DATA = 16 << 10,
  LARGEST_DATA_1 = 256 << 10,
  KEY_DIGITS = 8,
};

struct text {
  const uint8_t *bytes;
  size_t length;
};

struct row {
  uint64_t sequence, timestamp, epoch;
  struct text actor, action, data;
  const uint8_t *payload_hash, *prev_hash, *entry_hash;
  size_t end;
};

struct cursor {
  const uint8_t *bytes;
  size_t length, at;
};

/* Decimal digits, as SQLite writes a number of 0 to 2^53 - 1, and a separator. */
static bool read_number(struct cursor *cursor, uint64_t *number) {
  const uint64_t largest = (UINT64_C(1) << 53) - 1;
  size_t start = cursor->at, at = start;
  uint64_t value = 0;
  for (; at < cursor->length && at - start < 16 && cursor->bytes[at] >= '0' && cursor->bytes[at] <= '9'; at++) {
    value = value * 10 + (cursor->bytes[at] - '0');
  }
  if (at == start || at == cursor->length || cursor->bytes[at] != SEPARATOR || value > largest) return false;
  if (cursor->bytes[start] == '0' && at - start > 1) return false;
  *number = value;
  cursor->at = at + 1;
  return true;
}

/* A hash and, unless it is the end of the row, a separator. */
static const uint8_t *read_hash(struct cursor *cursor, bool is_end) {
  size_t left = cursor->length - cursor->at;
  const uint8_t *bytes = cursor->bytes + cursor->at;
  if (left < HASH_BYTES || (!is_end && (left == HASH_BYTES || bytes[HASH_BYTES] != SEPARATOR))) return NULL;
  cursor->at += HASH_BYTES + (is_end ? 0 : 1);
  return bytes;
}

/* Bytes of the character that starts here; 0 where none does (Unicode, table 3-7). */
static size_t character_length(const uint8_t *b, size_t left) {
  uint8_t low = 0x80, high = 0xbf;
  if (b[0] < 0x80) return 1;
  if (b[0] < 0xc2 || b[0] > 0xf4) return 0;
  size_t length = b[0] < 0xe0 ? 2 : b[0] < 0xf0 ? 3 : 4;
  if (b[0] == 0xe0) low = 0xa0;
  if (b[0] == 0xed) high = 0x9f;
  if (b[0] == 0xf0) low = 0x90;
  if (b[0] == 0xf4) high = 0x8f;
  if (left < length || b[1] < low || b[1] > high) return 0;
  for (size_t i = 2; i < length; i++) {
    if ((b[i] & 0xc0) != 0x80) return 0;
  }
  return length;
}

/* Eight at a time; the last eight may have been looked at before. */
static bool is_ascii(struct text text) {
  uint64_t eight, seen = 0;
  for (size_t at = 0; at + sizeof eight <= text.length; at += sizeof eight) {
    memcpy(&eight, text.bytes + at, sizeof eight);
    seen |= eight;
  }
  if (text.length >= sizeof eight) {
    memcpy(&eight, text.bytes + text.length - sizeof eight, sizeof eight);
    return ((seen | eight) & UINT64_C(0x8080808080808080)) == 0;
  }
  for (size_t at = 0; at < text.length; at++) seen |= text.bytes[at];
  return (seen & 0x80) == 0;
}

static bool is_utf8(struct text text) {
  if (is_ascii(text)) return true;
  for (size_t at = 0; at < text.length;) {
    size_t length = character_length(text.bytes + at, text.length - at);
    if (length == 0) return false;
    at += length;
  }
  return true;
}

/* Up to the next separator. Nothing between two is not judged: SQLite was not asked whether it is text. */
static bool read_text(struct cursor *cursor, struct text *text) {
  text->bytes = cursor->bytes + cursor->at;
  const uint8_t *end = memchr(text->bytes, SEPARATOR, cursor->length - cursor->at);
  if (end == NULL || end == text->bytes) return false;
  text->length = (size_t)(end - text->bytes);
  cursor->at += text->length + 1;
  return is_utf8(*text);
}

static bool starts_with(struct text text, const char *start, size_t length) {
  return text.length >= length && memcmp(text.bytes, start, length) == 0;
}

/* What the ledger says of itself, and details kept beside an entry: both are looked at one by one. */
static bool is_told_apart(const struct row *row) {
  return starts_with(row->action, "key_", 4) || starts_with(row->action, "ledger_", 7) || starts_with(row->data, "{\"body\":{", 9);
}

/* 8 hexadecimal digits in lower case. */
static bool is_key_id(struct text key) {
  if (key.length != KEY_DIGITS) return false;
  for (size_t at = 0; at < KEY_DIGITS; at++) {
    uint8_t digit = key.bytes[at];
    if ((digit < '0' || digit > '9') && (digit < 'a' || digit > 'f')) return false;
  }
  return true;
}

/* What is judged at all, of every row of a page. */
static bool is_form_known(const struct ledger_page *page) {
  struct text key = {page->key_id, page->key_id_length};
  return page->version == 1 ? key.length == 0 : page->version == 2 && is_key_id(key);
}

/* Rule 8, as far as a row tells alone. */
static bool is_epoch_right(const struct ledger_page *page, const struct row *row) {
  bool is_signed = page->version == 2;
  return (row->epoch >= 1) == is_signed && row->data.length <= (is_signed ? LARGEST_DATA : LARGEST_DATA_1);
}

/* The next row, whole. */
static bool read_row(struct cursor *cursor, struct row *row) {
  uint64_t *numbers[] = {&row->sequence, &row->timestamp, &row->epoch};
  struct text *texts[] = {&row->actor, &row->action, &row->data};
  for (int i = 0; i < 3; i++) {
    if (!read_number(cursor, numbers[i])) return false;
  }
  for (int i = 0; i < 3; i++) {
    if (!read_text(cursor, texts[i])) return false;
  }
  row->payload_hash = read_hash(cursor, false);
  row->prev_hash = row->payload_hash == NULL ? NULL : read_hash(cursor, false);
  row->entry_hash = row->prev_hash == NULL ? NULL : read_hash(cursor, true);
  row->end = cursor->at;
  return row->entry_hash != NULL && !is_told_apart(row);
}

/* Big-endian, 1 to 8 bytes. */
static inline uint8_t *put_number(uint8_t *at, uint64_t number, size_t bytes) {
  uint64_t turned = __builtin_bswap64(number << (64 - 8 * bytes));
  memcpy(at, &turned, bytes);
  return at + bytes;
}

static uint8_t *put_text(uint8_t *at, struct text text) {
  at = put_number(at, text.length, 4);
  memcpy(at, text.bytes, text.length);
  return at + text.length;
}

/* What comes before and after the texts, with their lengths. */
enum { FIXED_CANONICAL = 16 + 2 + 3 * 8 + 3 * 4 + 2 * HASH_BYTES };

static bool has_room(const struct ledger_page *page, const struct row *row) {
  const size_t most = LARGEST_CANONICAL - FIXED_CANONICAL - page->key_id_length;
  return row->actor.length <= most && row->action.length <= most - row->actor.length;
}

/* The message of the leaf with its padding (FIPS 180-4, section 5.1.1); the canonical bytes are in it from its second byte on. */
static size_t put_leaf(const struct ledger_page *page, const struct row *row, uint8_t *leaf, size_t *blocks) {
  uint8_t *at = leaf;
  *at++ = 0;
  memcpy(at, "sentineld.ledger", 16);
  at = put_number(at + 16, page->version, 2);
  at = put_number(at, row->sequence, 8);
  at = put_number(at, row->epoch, 8);
  at = put_number(at, row->timestamp, 8);
  at = put_text(at, (struct text){page->key_id, page->key_id_length});
  at = put_text(at, row->actor);
  at = put_text(at, row->action);
  memcpy(at, row->payload_hash, HASH_BYTES);
  memcpy(at + HASH_BYTES, row->prev_hash, HASH_BYTES);
  at += 2 * HASH_BYTES;
  size_t length = (size_t)(at - leaf);
  *blocks = (length + 9 + BLOCK_BYTES - 1) / BLOCK_BYTES;
  *at++ = 0x80;
  uint8_t *bits = leaf + *blocks * BLOCK_BYTES - 8;
  memset(at, 0, (size_t)(bits - at));
  put_number(bits, length * 8, 8);
  return length - 1;
}

/* How many of these rows have the hashes that they say; their leaf hashes go to `leaves`. */
static size_t check_hashes(const struct ledger_page *page, const struct row *rows, size_t count, uint8_t *leaves) {
  uint8_t rooms[BATCH][LEAF_ROOM];
  uint8_t payload_hashes[BATCH][HASH_BYTES], entry_hashes[BATCH][HASH_BYTES];
  struct message payloads[BATCH], entries[BATCH];
  struct padded padded[BATCH];
  for (size_t i = 0; i < count; i++) {
    size_t length = put_leaf(page, &rows[i], rooms[i], &padded[i].blocks);
    padded[i].bytes = rooms[i];
    padded[i].out = leaves + i * HASH_BYTES;
    payloads[i] = (struct message){rows[i].data.bytes, rows[i].data.length, payload_hashes[i]};
    entries[i] = (struct message){rooms[i] + 1, length, entry_hashes[i]};
  }
  blake3_many(payloads, count);
  blake3_many(entries, count);
  sha256_many(padded, count);
  size_t good = 0;
  while (good < count && memcmp(payload_hashes[good], rows[good].payload_hash, HASH_BYTES) == 0 &&
         memcmp(entry_hashes[good], rows[good].entry_hash, HASH_BYTES) == 0) {
    good++;
  }
  return good;
}

/* Notes a row that holds, the number `at` of the page. */
static void take_row(struct ledger_page *page, const struct row *row, size_t at) {
  double *next = page->runs + page->run_count * RUN_NUMBERS;
  if (page->run_count == 0 || next[-1] != (double)row->epoch) {
    next[0] = (double)at;
    next[1] = (double)row->epoch;
    page->run_count += 1;
  }
  if (row->timestamp < page->timestamp && page->clock_went_back++ == 0) page->first_clock_went_back = (double)at;
  page->timestamp = row->timestamp;
  page->sequence = row->sequence;
  page->entry_hash = row->entry_hash;
  page->ends[at] = (uint32_t)row->end;
}

size_t check_ledger_page(struct ledger_page *page) {
  struct cursor cursor = {page->bytes, page->length, 0};
  struct row rows[BATCH];
  size_t at = 0;
  page->run_count = page->clock_went_back = 0;
  page->first_clock_went_back = -1;
  for (bool is_sound = is_form_known(page); is_sound && at < page->count;) {
    uint64_t sequence = page->sequence;
    const uint8_t *previous = page->entry_hash;
    size_t read = 0;
    while (is_sound && read < BATCH && at + read < page->count) {
      struct row *row = &rows[read];
      is_sound = read_row(&cursor, row) && is_epoch_right(page, row) && has_room(page, row) && row->sequence == ++sequence && memcmp(row->prev_hash, previous, HASH_BYTES) == 0;
      /* What is left behind the last row belongs to none: then that row's end is not where it says. */
      if (is_sound && at + read + 1 == page->count) is_sound = row->end == page->length;
      if (is_sound) previous = rows[read++].entry_hash;
    }
    size_t good = check_hashes(page, rows, read, page->leaves + at * HASH_BYTES);
    for (size_t i = 0; i < good; i++) take_row(page, &rows[i], at + i);
    if (good < read) is_sound = false;
    at += good;
  }
  return at;
}
