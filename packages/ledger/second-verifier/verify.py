#!/usr/bin/env python3
"""Second verifier of a SentinelD ledger, of an export of it and of the proof of one entry.

Written from docs/ledger-format.md alone, with nothing but Python's standard library (3.11 or later): it shares no line
with the verifier of the product, so that a mistake has to be made twice to go unseen. Words in quotes after a rule are
those of the page.

    verify.py FILE [--key KEY]... [--checkpoint FILE]... [--head SEQUENCE:HASH]
    verify.py FILE --ledger [--key KEY]... [--checkpoint FILE]... [--head SEQUENCE:HASH]
    verify.py --self-test

Prints one line of JSON. Exit status 0: it holds. 1: it does not. 2: the file or the command line has not its form.
"""

import argparse
import base64
import binascii
import contextlib
import hashlib
import json
import os
import re
import sqlite3
import stat
import struct
import sys
import urllib.parse
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Iterator, NoReturn

MAX_SAFE = 2**53 - 1
MAX_LINE_BYTES = 2 * 1024 * 1024
MAX_PROOF_BYTES = 2 * 1024 * 1024
MAX_NOTE_BYTES = 16 * 1024
MAX_BODY_BYTES = 2 * 1024 * 1024
MAX_EVENT_BYTES = {1: 256 * 1024, 2: 16 * 1024}
MAX_NOTES = 100
ZERO_HASH = bytes(32)


class InputError(Exception):
    """The file, a key or the command line has not its form: exit status 2."""


class Failure(Exception):
    """A rule of the page does not hold: exit status 1."""

    def __init__(self, sequence: int, what: str, why: str, epoch: int | None = None) -> None:
        super().__init__(why)
        self.sequence, self.what, self.why, self.epoch = sequence, what, why, epoch

    def as_json(self) -> dict[str, Any]:
        """The failure as the member `failure` of the answer."""
        found = {'sequence': self.sequence, 'what': self.what, 'why': self.why}
        return found if self.epoch is None else {**found, 'epoch': self.epoch}


# --- BLAKE3 (the specification, https://github.com/BLAKE3-team/BLAKE3-specs) ---

BLAKE3_IV = (0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19)
BLAKE3_PERMUTATION = (2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)
CHUNK_START, CHUNK_END, PARENT, ROOT = 1, 2, 4, 8
BLOCK_BYTES, CHUNK_BYTES = 64, 1024
# Four words of 32 bits lie in one integer, 64 bits apart, so that one addition of Python adds a whole row of the state.
LANES = 0x00000000FFFFFFFF_00000000FFFFFFFF_00000000FFFFFFFF_00000000FFFFFFFF
ROW = (1 << 256) - 1


def pack(first: int, second: int, third: int, fourth: int) -> int:
    """One row of the state of four words."""
    return first | second << 64 | third << 128 | fourth << 192


def unpack(row: int) -> tuple[int, int, int, int]:
    """The four words of a row."""
    return (row & 0xFFFFFFFF, row >> 64 & 0xFFFFFFFF, row >> 128 & 0xFFFFFFFF, row >> 192 & 0xFFFFFFFF)


def message_order() -> tuple[tuple[int, ...], ...]:
    """The words of the block that each of the seven rounds takes, in its order."""
    rounds = [tuple(range(16))]
    for _ in range(6):
        rounds.append(tuple(rounds[-1][i] for i in BLAKE3_PERMUTATION))
    return tuple(rounds)


MESSAGE_ORDER = message_order()


def rotate_words(row: int, bits: int) -> int:
    """Each word of a row turned right."""
    return (row >> bits | row << (32 - bits)) & LANES


def turn_row(row: int, words: int) -> int:
    """The words of a row moved towards the first by so many places."""
    return (row >> 64 * words | row << 256 - 64 * words) & ROW


def mix(a: int, b: int, c: int, d: int, x: int, y: int) -> tuple[int, int, int, int]:
    """The function G on four columns at once."""
    a = (a + b + x) & LANES
    d = rotate_words(d ^ a, 16)
    c = (c + d) & LANES
    b = rotate_words(b ^ c, 12)
    a = (a + b + y) & LANES
    d = rotate_words(d ^ a, 8)
    c = (c + d) & LANES
    return a, rotate_words(b ^ c, 7), c, d


def compress(chaining: tuple[int, ...], block: bytes, counter: int, flags: int) -> tuple[int, ...]:
    """The compression function, cut to the eight words of a chaining value."""
    m = struct.unpack('<16I', block.ljust(BLOCK_BYTES, b'\0'))
    a, b = pack(*chaining[:4]), pack(*chaining[4:])
    c, d = pack(*BLAKE3_IV[:4]), pack(counter & 0xFFFFFFFF, counter >> 32, len(block), flags)
    for s in MESSAGE_ORDER:
        a, b, c, d = mix(a, b, c, d, pack(m[s[0]], m[s[2]], m[s[4]], m[s[6]]), pack(m[s[1]], m[s[3]], m[s[5]], m[s[7]]))
        b, c, d = turn_row(b, 1), turn_row(c, 2), turn_row(d, 3)
        a, b, c, d = mix(a, b, c, d, pack(m[s[8]], m[s[10]], m[s[12]], m[s[14]]), pack(m[s[9]], m[s[11]], m[s[13]], m[s[15]]))
        b, c, d = turn_row(b, 3), turn_row(c, 2), turn_row(d, 1)
    return unpack(a ^ c) + unpack(b ^ d)


def chunk_value(chunk: bytes, counter: int, last_flags: int) -> tuple[int, ...]:
    """The chaining value of one chunk; `last_flags` is ROOT for a message of one chunk."""
    value: tuple[int, ...] = BLAKE3_IV
    last = max(0, (len(chunk) - 1) // BLOCK_BYTES)
    for i in range(last + 1):
        flags = (CHUNK_START if i == 0 else 0) | (CHUNK_END | last_flags if i == last else 0)
        value = compress(value, chunk[i * BLOCK_BYTES : (i + 1) * BLOCK_BYTES], counter, flags)
    return value


def words_to_bytes(words: tuple[int, ...]) -> bytes:
    """Words as little-endian bytes."""
    return struct.pack(f'<{len(words)}I', *words)


def blake3(data: bytes) -> bytes:
    """The plain BLAKE3 hash with 32 bytes of output."""
    chunks = max(1, -(-len(data) // CHUNK_BYTES))
    if chunks == 1:
        return words_to_bytes(chunk_value(data, 0, ROOT))
    subtrees: list[tuple[int, ...]] = []
    for i in range(chunks):
        value = chunk_value(data[i * CHUNK_BYTES : (i + 1) * CHUNK_BYTES], i, 0)
        full = i + 1
        # The last chunk is not joined here: its parents are those of the right edge, and the topmost is the root.
        while full & 1 == 0 and i + 1 < chunks:
            value = compress(BLAKE3_IV, words_to_bytes(subtrees.pop() + value), 0, PARENT)
            full >>= 1
        subtrees.append(value)
    value = subtrees.pop()
    while subtrees:
        flags = PARENT | (ROOT if len(subtrees) == 1 else 0)
        value = compress(BLAKE3_IV, words_to_bytes(subtrees.pop() + value), 0, flags)
    return words_to_bytes(value)


# --- Ed25519 (RFC 8032, section 5.1) ---

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
SQRT_MINUS_ONE = pow(2, (P - 1) // 4, P)
Point = tuple[int, int, int, int]
IDENTITY: Point = (0, 1, 1, 0)


def decode_point(data: bytes) -> Point | None:
    """A point of its 32 bytes (RFC 8032, section 5.1.3), or None where they are none."""
    y = int.from_bytes(data, 'little')
    sign, y = y >> 255, y & (1 << 255) - 1
    if y >= P:
        return None
    u, v = (y * y - 1) % P, (D * y * y + 1) % P
    x = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    if v * x * x % P != u:
        x = x * SQRT_MINUS_ONE % P
    if v * x * x % P != u or (x == 0 and sign == 1):
        return None
    x = P - x if x & 1 != sign else x
    return (x, y, 1, x * y % P)


def encode_point(point: Point) -> bytes:
    """A point as 32 bytes (RFC 8032, section 5.1.2)."""
    x, y, z, _ = point
    inverse = pow(z, P - 2, P)
    x, y = x * inverse % P, y * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, 'little')


def add_points(p: Point, q: Point) -> Point:
    """The sum of two points in extended coordinates (RFC 8032, section 5.1.4); it doubles too."""
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def base_point() -> Point:
    """The base point B: y = 4/5, x even."""
    found = decode_point((4 * pow(5, P - 2, P) % P).to_bytes(32, 'little'))
    if found is None:
        raise RuntimeError('the base point of Ed25519 did not decode')
    return found


BASE = base_point()


def ed25519_verify(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the signature is that key's over the message: S below L, and [S]B = R + [k]A without the cofactor."""
    a = decode_point(public_key)
    s = int.from_bytes(signature[32:], 'little')
    if len(signature) != 64 or a is None or s >= L:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + public_key + message).digest(), 'little') % L
    minus_a = (P - a[0], a[1], a[2], P - a[3])
    sums = {1: BASE, 2: minus_a, 3: add_points(BASE, minus_a)}
    total = IDENTITY
    for i in range(252, -1, -1):
        total = add_points(total, total)
        choice = (s >> i & 1) | (k >> i & 1) << 1
        total = add_points(total, sums[choice]) if choice else total
    return encode_point(total) == signature[:32]


# --- The tree (RFC 6962, section 2.1) ---


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf."""
    return hashlib.sha256(b'\x00' + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of a node of its children."""
    return hashlib.sha256(b'\x01' + left + right).digest()


def append_leaf(nodes: list[bytes], size: int, leaf: bytes) -> list[bytes]:
    """The compact range of `size` leaves with one more."""
    grown = [*nodes, leaf]
    while size & 1:
        right = grown.pop()
        grown.append(node_hash(grown.pop(), right))
        size >>= 1
    return grown


def range_root(nodes: list[bytes]) -> bytes:
    """The root of a compact range; that of no leaves is the hash of nothing."""
    if not nodes:
        return hashlib.sha256(b'').digest()
    root = nodes[-1]
    for left in reversed(nodes[:-1]):
        root = node_hash(left, root)
    return root


def inclusion_root(index: int, size: int, leaf: bytes, path: list[bytes]) -> bytes | None:
    """The root that a leaf and its audit path lead to (RFC 9162, section 2.1.3.2), or None where the path has not the length of its place."""
    if index >= size:
        return None
    position, last, root = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return None
        if position & 1 or position == last:
            root = node_hash(sibling, root)
            while position & 1 == 0 and position != 0:
                position, last = position >> 1, last >> 1
        else:
            root = node_hash(root, sibling)
        position, last = position >> 1, last >> 1
    return root if last == 0 else None


# --- Texts: JSON, base64, keys, notes ---


def refuse_number(text: str) -> NoReturn:
    """Numbers of a file are whole: 1.0, 1e3, NaN and -0 are none of them."""
    raise ValueError(f'{text[:40]} is not a whole number')


def whole_number(text: str) -> int:
    """A number from 0 to 2^53 - 1."""
    if text.startswith('-') or len(text) > 16 or int(text) > MAX_SAFE:
        raise ValueError(f'{text[:40]} is not a whole number from 0 to 2^53 - 1')
    return int(text)


def unique_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object in which no name comes twice: two readers could take different ones."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError('a member comes twice')
    return members


def parse_line(data: bytes, where: str) -> dict[str, Any]:
    """One object of an export or a proof."""
    try:
        value = json.loads(
            data.decode('utf-8'),
            object_pairs_hook=unique_members,
            parse_float=refuse_number,
            parse_constant=refuse_number,
            parse_int=whole_number,
        )
    except (ValueError, RecursionError) as error:
        raise InputError(f'{where} is not a line of this format: {str(error)[:200] or "too deep"}') from error
    if not isinstance(value, dict):
        raise InputError(f'{where} is not a JSON object')
    return value


def parse_event(data: bytes) -> dict[str, Any] | None:
    """`event_data` as an object with any numbers, or None where it is none. Of a member that comes twice the last counts."""
    try:
        value = json.loads(data.decode('utf-8'), parse_constant=refuse_number)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def decode_base64(text: str, size: int, what: str) -> bytes:
    """The bytes of canonical base64 (RFC 4648, section 4). Throws a ValueError where it is not of that size."""
    try:
        data = base64.b64decode(text.encode('ascii'), validate=True)
    except (UnicodeEncodeError, binascii.Error) as error:
        raise ValueError(f'{what} is not base64') from error
    if len(data) != size or base64.b64encode(data).decode('ascii') != text:
        raise ValueError(f'{what} is not the base64 of {size} bytes')
    return data


def decimal(text: str) -> int | None:
    """A number without a sign or leading zeroes, or None."""
    if not re.fullmatch('0|[1-9][0-9]{0,15}', text, re.ASCII) or int(text) > MAX_SAFE:
        return None
    return int(text)


@dataclass(frozen=True)
class Key:
    """A public key of a ledger, as it is written in one line."""

    origin: str
    key_id: str
    public: bytes
    text: str


def parse_key(text: Any) -> Key:
    """A key of `<origin>+<id>+<base64>`. Throws a ValueError where it is none or its id is not its own."""
    parts = text.split('+', 2) if isinstance(text, str) and len(text) <= 1024 else []
    if len(parts) != 3 or not re.fullmatch('[0-9a-f]{8}', parts[1]) or not re.fullmatch(r'[^\s\x00-\x1f]+', parts[0]):
        raise ValueError('it is not a key of the form <origin>+<key id>+<base64>')
    data = decode_base64(parts[2], 33, 'the key')
    if data[0] != 1:
        raise ValueError('it is not a key for Ed25519')
    if hashlib.sha256(parts[0].encode() + b'\n' + data).hexdigest()[:8] != parts[1]:
        raise ValueError('the key id is not that of the key')
    return Key(parts[0], parts[1], data[1:], text)


@dataclass(frozen=True)
class Note:
    """A signed checkpoint."""

    origin: str
    tree_size: int
    root: bytes
    epoch: int
    time: int
    chain: bytes
    text: bytes
    signatures: tuple[tuple[str, bytes], ...]


def parse_signatures(text: str) -> tuple[tuple[str, bytes], ...]:
    """The lines below the empty one, as names and bytes."""
    found = []
    for line in text.split('\n')[:-1]:
        parts = re.fullmatch(r'— ([^\s+]+) ([A-Za-z0-9+/]+={0,2})', line)
        if parts is None:
            raise ValueError('a line of the signatures is not one')
        try:
            data = base64.b64decode(parts[2], validate=True)
        except binascii.Error as error:
            raise ValueError('a signature is not base64') from error
        if len(data) < 5 or base64.b64encode(data).decode('ascii') != parts[2]:
            raise ValueError('a signature is not base64 of a key id and more')
        found.append((parts[1], data))
    return tuple(found)


def parse_note(data: bytes) -> Note:
    """A note of its bytes. Throws a ValueError where it has not the form."""
    if len(data) > MAX_NOTE_BYTES:
        raise ValueError('it is too long')
    text = data.decode('utf-8')
    if re.search(r'[\x00-\x09\x0b-\x1f]', text) or not text.endswith('\n'):
        raise ValueError('it has a control character, or no line feed at its end')
    body, gap, below = text.rpartition('\n\n')
    lines = body.split('\n')
    if gap == '' or below == '' or len(lines) != 6:
        raise ValueError('it is not six lines, an empty one and signatures')
    size = decimal(lines[1])
    epoch = decimal(lines[3].removeprefix('epoch ')) if lines[3].startswith('epoch ') else None
    time = decimal(lines[4].removeprefix('time ')) if lines[4].startswith('time ') else None
    if not re.fullmatch(r'sentineld-ledger/[^\s+]+', lines[0]) or size is None or epoch is None or time is None or not lines[5].startswith('chain '):
        raise ValueError('its lines are not origin, size, root, epoch, time and chain')
    root = decode_base64(lines[2], 32, 'the root')
    chain = decode_base64(lines[5].removeprefix('chain '), 32, 'the chain')
    return Note(lines[0], size, root, epoch, time, chain, body.encode() + b'\n', parse_signatures(below))


def signed_by(note: Note, key: Key) -> bool | None:
    """Whether every signature under the key's name and id is the key's; None where there is none."""
    own = [data for name, data in note.signatures if name == key.origin and data[:4].hex() == key.key_id]
    if not own:
        return None
    return all(ed25519_verify(key.public, note.text, data[4:]) for data in own)


# --- Entries ---


@dataclass
class Entry:
    """A row of `audit_ledger`, or an entry line of an export, with its types checked."""

    sequence: int
    timestamp: int
    actor: bytes
    action: bytes
    payload_hash: bytes
    prev_hash: bytes
    entry_hash: bytes
    signature: bytes | None
    event_data: bytes
    format_version: int
    epoch: int
    key_id: bytes
    body: bytes | None = None


@dataclass
class Checkpoint:
    """A row of `audit_checkpoint`, or a checkpoint line of an export, which has fewer members."""

    epoch: int
    tree_size: int
    timestamp: int
    note: bytes
    root_hash: bytes | None = None
    key_id: str | None = None
    tree_range: bytes | None = None


def canonical_bytes(entry: Entry) -> bytes:
    """The bytes that the hash of an entry and its leaf are made of."""
    numbers = entry.sequence.to_bytes(8, 'big') + entry.epoch.to_bytes(8, 'big') + entry.timestamp.to_bytes(8, 'big')
    texts = b''.join(len(text).to_bytes(4, 'big') + text for text in (entry.key_id, entry.actor, entry.action))
    return b'sentineld.ledger' + entry.format_version.to_bytes(2, 'big') + numbers + texts + entry.payload_hash + entry.prev_hash


def check_fields(entry: Entry) -> None:
    """Rules 1 and 2 as far as they concern one entry."""
    at = entry.sequence
    if entry.format_version not in MAX_EVENT_BYTES:
        raise Failure(at, 'format_version', f'format version {entry.format_version} is not 1 or 2')
    if len(entry.event_data) > MAX_EVENT_BYTES[entry.format_version]:
        raise Failure(at, 'field', 'event_data is longer than its format version allows')


def check_hashes(entry: Entry) -> None:
    """Rules 6 and 7."""
    if blake3(entry.event_data) != entry.payload_hash:
        raise Failure(entry.sequence, 'payload_hash', 'payload_hash is not the hash of event_data')
    if blake3(canonical_bytes(entry)) != entry.entry_hash:
        raise Failure(entry.sequence, 'entry_hash', 'entry_hash is not the hash of the canonical bytes')


def check_entry_signature(entry: Entry, key: Key) -> None:
    """The last part of rule 8."""
    if entry.signature is not None and not ed25519_verify(key.public, b'sentineld.entry\n' + entry.entry_hash, entry.signature):
        raise Failure(entry.sequence, 'signature', 'the signature of the entry is not that of the key of its epoch')


BODY_REFERENCE = re.compile(rb'\{"body":\{"blake3":"([0-9a-f]{64})","size_bytes":(0|[1-9][0-9]{0,15})\}[,}]')


def body_reference(entry: Entry) -> tuple[bytes, int] | None:
    """What rule 13 is about: the hash and the size of details that are kept beside the entry."""
    found = None if entry.format_version == 1 else BODY_REFERENCE.match(entry.event_data)
    return None if found is None else (bytes.fromhex(found[1].decode()), int(found[2]))


def check_body(entry: Entry) -> None:
    """Rule 13."""
    reference = body_reference(entry)
    if reference is None:
        if entry.body is not None:
            raise Failure(entry.sequence, 'body', 'there is a body that event_data does not speak of')
        return
    if entry.body is None:
        raise Failure(entry.sequence, 'body', 'the details that event_data speaks of are missing')
    if len(entry.body) != reference[1] or blake3(entry.body) != reference[0]:
        raise Failure(entry.sequence, 'body', 'the details are not those that event_data speaks of')


# --- The walk: rules 2 to 12, entry by entry and checkpoint by checkpoint ---


@dataclass
class Walk:
    """What is known of all that came before."""

    sequence: int
    head: bytes
    nodes: list[bytes]
    trusted: dict[str, Key]
    ledger_id: str | None = None
    claimed_id: str | None = None
    keys: list[tuple[Key, int]] = field(default_factory=list)
    next_epoch: int | None = 1
    next_checkpoint: int | None = 1
    version: int = 1
    rotated_in: int = 0
    last_time: int = 0
    last_size: int = 0
    covered: int = 0
    first: bool = True
    entries: int = 0
    checkpoints: int = 0
    notes: list[dict[str, Any]] = field(default_factory=list)
    heads: dict[int, bytes] = field(default_factory=dict)
    roots: dict[int, bytes] = field(default_factory=dict)
    archives: list[dict[str, Any]] = field(default_factory=list)
    restores: list[tuple[int, int, dict[str, Any]]] = field(default_factory=list)


def origin_of(ledger_id: str | None) -> str:
    """Line 1 of a note."""
    return f'sentineld-ledger/{ledger_id}'


def remark(walk: Walk, what: str, sequence: int, why: str) -> None:
    """Something worth a note and no failure."""
    if len(walk.notes) < MAX_NOTES:
        walk.notes.append({'what': what, 'sequence': sequence, 'why': why})


def key_of(walk: Walk, epoch: int) -> Key | None:
    """The key that signs an epoch."""
    found = None
    for key, first_epoch in walk.keys:
        found = key if first_epoch <= epoch else found
    return found


def trust_key(walk: Walk, key: Key, at: int, inherits: bool) -> None:
    """With keys of one's own: a key is trusted that is one of them, or that a trusted one announced. None follows a trusted one unannounced."""
    before = walk.keys[-1][0].text if walk.keys else None
    if not walk.trusted or key.text in walk.trusted or before not in walk.trusted:
        return
    if not inherits:
        raise Failure(at, 'key', 'a key that is not trusted comes after one that is, which did not announce it')
    walk.trusted[key.text] = key


def add_key(walk: Walk, entry: Entry, text: Any, first_epoch: int, inherits: bool) -> None:
    """One more key that an entry tells of."""
    try:
        key = parse_key(text)
    except ValueError as error:
        raise Failure(entry.sequence, 'key', f'the key in event_data cannot be read: {error}') from error
    if key.origin != origin_of(walk.ledger_id):
        raise Failure(entry.sequence, 'key', 'the key in event_data has the origin of another ledger')
    trust_key(walk, key, entry.sequence, inherits)
    walk.keys.append((key, first_epoch))


def tells_key(entry: Entry, action: bytes) -> bool:
    """Whether an entry is one of those that tell of keys, archives and restores."""
    return entry.format_version == 2 and entry.action == action


def take_first(walk: Walk, entry: Entry) -> None:
    """Who the ledger is, as entry 1 tells it."""
    ledger_id = (parse_event(entry.event_data) or {}).get('ledger_id')
    walk.ledger_id = ledger_id if isinstance(ledger_id, str) else None


def take_new_key(walk: Walk, entry: Entry) -> None:
    """The keys that sign the epoch of the entry that tells of them."""
    event = parse_event(entry.event_data) or {}
    if entry.sequence == 1 and entry.format_version == 2:
        add_key(walk, entry, event.get('key'), 1, inherits=False)
    elif tells_key(entry, b'key_create'):
        if walk.keys:
            remark(walk, 'key_create', entry.sequence, 'a new key that nobody with the key before announced')
        add_key(walk, entry, event.get('key'), entry.epoch, inherits=False)


def take_rotation(walk: Walk, entry: Entry, key: Key) -> None:
    """The key that signs from the next epoch on."""
    event = parse_event(entry.event_data) or {}
    if event.get('retired') != key.key_id:
        raise Failure(entry.sequence, 'key', 'retired is not the id of the key before')
    if event.get('key') == key.text:
        raise Failure(entry.sequence, 'key', 'the new key is the one that it retires')
    add_key(walk, entry, event.get('key'), entry.epoch + 1, inherits=True)
    walk.rotated_in = entry.epoch


def check_version_1(entry: Entry) -> None:
    """Rule 8 for entries of format version 1."""
    if entry.epoch != 0:
        raise Failure(entry.sequence, 'epoch', 'an entry of format version 1 has an epoch')
    if entry.key_id:
        raise Failure(entry.sequence, 'key', 'an entry of format version 1 has a key')
    if entry.signature is not None:
        raise Failure(entry.sequence, 'signature', 'an entry of format version 1 has a signature')


def check_version_2(walk: Walk, entry: Entry) -> None:
    """Rule 8 for entries of format version 2, and what they tell of keys."""
    if entry.epoch < 1 or (walk.next_epoch is not None and entry.epoch != walk.next_epoch):
        raise Failure(entry.sequence, 'epoch', f'epoch {entry.epoch} is not the one after that of the newest checkpoint')
    walk.next_epoch = entry.epoch
    walk.next_checkpoint = walk.next_checkpoint or entry.epoch
    take_new_key(walk, entry)
    key = key_of(walk, entry.epoch)
    if walk.rotated_in == entry.epoch:
        raise Failure(entry.sequence, 'key', 'the key of this epoch was retired by the entry before')
    if key is None or entry.key_id != key.key_id.encode():
        raise Failure(entry.sequence, 'key', 'key_id is not that of the key of the epoch')
    check_entry_signature(entry, key)
    if tells_key(entry, b'key_rotate'):
        take_rotation(walk, entry, key)


def take_announcements(walk: Walk, entry: Entry) -> None:
    """Entries that tell of archives and restores, for the rules about them."""
    for action, found in ((b'ledger_archive', walk.archives), (b'ledger_restore', None)):
        if tells_key(entry, action):
            event = parse_event(entry.event_data) or {}
            if found is not None:
                found.append({**event, 'sequence': entry.sequence})
            else:
                walk.restores.append((entry.sequence, entry.timestamp, event))


def take_entry(walk: Walk, entry: Entry) -> None:
    """One more entry, by rules 2 to 8 and 13."""
    check_fields(entry)
    if entry.format_version < walk.version:
        raise Failure(entry.sequence, 'format_version', 'an entry of format version 1 comes after one of version 2')
    if entry.sequence != walk.sequence + 1:
        # What is missing, or what comes once more.
        raise Failure(min(walk.sequence + 1, entry.sequence), 'sequence', f'after {walk.sequence} comes {entry.sequence}')
    if entry.sequence == 1 and entry.action != b'ledger_create':
        raise Failure(entry.sequence, 'first_entry', 'the first entry is not ledger_create')
    if entry.prev_hash != walk.head:
        raise Failure(entry.sequence, 'prev_hash', 'prev_hash is not the hash of the entry before')
    check_hashes(entry)
    if entry.sequence == 1:
        take_first(walk, entry)
    if entry.format_version == 1:
        check_version_1(entry)
        walk.next_epoch = walk.next_checkpoint = 1
    else:
        check_version_2(walk, entry)
    check_body(entry)
    if walk.claimed_id not in (None, walk.ledger_id):
        raise Failure(entry.sequence, 'field', 'ledger_id is not that of the header')
    if entry.timestamp < walk.last_time:
        remark(walk, 'timestamp', entry.sequence, 'the clock was set back before this entry')
    take_announcements(walk, entry)
    walk.nodes = append_leaf(walk.nodes, walk.sequence, leaf_hash(canonical_bytes(entry)))
    walk.sequence, walk.head, walk.version, walk.last_time = entry.sequence, entry.entry_hash, entry.format_version, entry.timestamp
    walk.entries += 1
    remember(walk)


def remember(walk: Walk) -> None:
    """Heads and roots that were asked for before the rows were read."""
    if walk.sequence in walk.heads:
        walk.heads[walk.sequence] = walk.head
    if walk.sequence in walk.roots:
        walk.roots[walk.sequence] = range_root(walk.nodes)


def read_note(walk: Walk, row: Checkpoint) -> Note:
    """Rule 10."""
    try:
        note = parse_note(row.note)
    except ValueError as error:
        raise Failure(row.tree_size, 'checkpoint', f'the note cannot be read: {error}', row.epoch) from error
    columns = (row.epoch, row.tree_size, row.timestamp, row.root_hash or note.root)
    if columns != (note.epoch, note.tree_size, note.time, note.root):
        raise Failure(row.tree_size, 'checkpoint', 'the note does not say what is written beside it', row.epoch)
    if note.origin != origin_of(walk.ledger_id):
        raise Failure(row.tree_size, 'checkpoint', 'the note is that of another ledger', row.epoch)
    return note


def check_signer(walk: Walk, row: Checkpoint, note: Note) -> None:
    """Rule 11."""
    key = key_of(walk, row.epoch)
    if key is None or (row.key_id is not None and row.key_id != key.key_id):
        raise Failure(row.tree_size, 'key', 'the checkpoint is not signed by the key of its epoch', row.epoch)
    verdict = signed_by(note, key)
    if verdict is None:
        raise Failure(row.tree_size, 'key', 'the note has no signature of the key of its epoch', row.epoch)
    if not verdict:
        raise Failure(row.tree_size, 'signature', 'the signature of the note is not that of the key', row.epoch)


def take_checkpoint(walk: Walk, row: Checkpoint) -> None:
    """One more checkpoint, by rules 9 to 12, directly after the entry with the number of its tree size."""
    if walk.next_checkpoint is not None and row.epoch != walk.next_checkpoint:
        why = f'the checkpoint of epoch {walk.next_checkpoint} is missing'
        raise Failure(row.tree_size, 'checkpoint_missing', why, row.epoch)
    note = read_note(walk, row)
    check_signer(walk, row, note)
    if row.tree_size < walk.last_size or row.tree_size != walk.sequence or row.tree_size == 0:
        raise Failure(row.tree_size, 'tree', 'the tree size is not the number of the entry before the checkpoint', row.epoch)
    if range_root(walk.nodes) != note.root:
        raise Failure(row.tree_size, 'tree', 'the root is not that of the entries', row.epoch)
    if note.chain != walk.head:
        raise Failure(row.tree_size, 'tree', 'chain is not the hash of the last entry', row.epoch)
    if row.tree_range is not None and row.tree_range != b''.join(walk.nodes):
        raise Failure(row.tree_size, 'tree', 'tree_range is not the compact range of the entries', row.epoch)
    key = key_of(walk, row.epoch)
    if key is not None and key.text in walk.trusted:
        walk.covered = row.tree_size
    walk.last_size = row.tree_size
    walk.next_epoch = walk.next_checkpoint = row.epoch + 1
    # Keys, and so checkpoints, came with format version 2.
    walk.version = 2
    walk.checkpoints += 1


# --- What is known from elsewhere ---


@dataclass
class Known:
    """Keys, checkpoints and a head that were given on the command line."""

    keys: dict[str, Key]
    notes: list[Note]
    head: tuple[int, bytes] | None


def expect_known(walk: Walk, known: Known) -> None:
    """Marks what is to be remembered on the way."""
    for note in known.notes:
        walk.roots[note.tree_size] = b''
    if known.head is not None:
        walk.heads[known.head[0]] = b''
    remember(walk)


def is_excused(walk: Walk, note: Note) -> bool:
    """Whether a ledger_restore entry says that this checkpoint was given up."""
    for sequence, timestamp, event in walk.restores:
        # Anybody who can write the file can append an entry.
        if sequence > walk.last_size:
            continue
        abandoned = event.get('abandoned')
        for item in abandoned if isinstance(abandoned, list) else []:
            epoch = item.get('epoch') if isinstance(item, dict) else None
            if type(epoch) is int and epoch >= note.epoch and timestamp > note.time:
                return True
    return False


def check_known_note(walk: Walk, note: Note) -> None:
    """A checkpoint that left the host."""
    keys = list(walk.trusted.values()) or [key for key, _ in walk.keys]
    if note.origin != origin_of(walk.ledger_id):
        raise Failure(note.tree_size, 'witness', 'the known checkpoint is that of another ledger', note.epoch)
    if not any(signed_by(note, key) for key in keys):
        raise Failure(note.tree_size, 'witness', 'the known checkpoint is signed by no key that is trusted', note.epoch)
    if walk.roots.get(note.tree_size) == note.root:
        return
    if is_excused(walk, note):
        return remark(walk, 'witness', note.tree_size, 'a known checkpoint is not in this history; a restore says so')
    short = note.tree_size > walk.sequence
    why = 'there are fewer entries than the known checkpoint has' if short else 'the root is not that of the known checkpoint'
    raise Failure(note.tree_size, 'witness', why, note.epoch)


def check_any_trust(walk: Walk) -> None:
    """With keys of one's own: one of them, or one that follows from them, signed a checkpoint."""
    if walk.trusted and walk.covered == 0:
        raise Failure(walk.sequence, 'key', 'no checkpoint is signed by a key that is trusted')


def check_whole_trust(walk: Walk) -> None:
    """With keys of one's own: they cover all entries that any checkpoint covers."""
    if walk.trusted and walk.covered < walk.last_size:
        raise Failure(walk.covered + 1, 'key', 'from here on no checkpoint is signed by a key that is trusted')


def check_known(walk: Walk, known: Known, first: int) -> None:
    """Holds the result against what was given; `first` is the smallest number of which anything can be said."""
    for size in [note.tree_size for note in known.notes] + ([known.head[0]] if known.head else []):
        if size < first:
            raise InputError(f'the file says nothing of the first {size} entries: verify the archive or export that has them')
    if known.head is not None and walk.heads.get(known.head[0]) != known.head[1]:
        raise Failure(known.head[0], 'witness', 'the entry of the known head is missing or has another hash')
    for note in known.notes:
        check_known_note(walk, note)


# --- Export ---

ENTRY_MEMBERS = {
    'sequence': int, 'timestamp': int, 'format_version': int, 'epoch': int, 'key_id': str, 'actor': str, 'action': str,
    'payload_hash': bytes, 'prev_hash': bytes, 'entry_hash': bytes, 'signature': bytes, 'event_data': str,
}  # fmt: skip
CHECKPOINT_MEMBERS = {'epoch': int, 'tree_size': int, 'timestamp': int, 'note': str}
HEADER_MEMBERS = {
    'format': str, 'version': int, 'origin': str, 'ledger_id': str, 'host_id': str, 'from': int, 'to': int, 'start': dict, 'keys': list,
}  # fmt: skip
START_MEMBERS = {'sequence': int, 'entry_hash': bytes, 'tree_range': list}


def hex_bytes(value: Any, size: int, where: str) -> bytes:
    """Bytes of lower-case hex."""
    if not isinstance(value, str) or not re.fullmatch(f'[0-9a-f]{{{2 * size}}}', value):
        raise InputError(f'{where} is not {size} bytes in lower-case hex')
    return bytes.fromhex(value)


def members(value: Any, forms: dict[str, type], where: str) -> dict[str, Any]:
    """These members, each of its type; others are ignored. Hashes come as bytes; numbers are bounded already."""
    if not isinstance(value, dict) or not set(value) >= set(forms):
        raise InputError(f'{where} has not the members of its type')
    found: dict[str, Any] = {}
    for name, form in forms.items():
        item = value[name]
        if form is bytes:
            found[name] = None if item is None and name == 'signature' else hex_bytes(item, 64 if name == 'signature' else 32, f'{name} of {where}')
        elif type(item) is not form:
            raise InputError(f'{name} of {where} has not its type')
        else:
            if form is str:
                text_bytes(item, where)
            found[name] = item
    return found


def text_bytes(text: str, where: str) -> bytes:
    """The UTF-8 bytes of a text (rule 1)."""
    try:
        return text.encode('utf-8')
    except UnicodeEncodeError as error:
        raise InputError(f'a text of {where} has a lone surrogate') from error


def entry_of_line(line: dict[str, Any], where: str) -> Entry:
    """An entry of an export or a proof."""
    found = members(line, ENTRY_MEMBERS, where)
    body = line.get('body')
    if found['sequence'] == 0 or not isinstance(body, str | None) or ('body' in line and body is None):
        raise InputError(f'sequence or body of {where} has not its form')
    texts = {name: text_bytes(found[name], where) for name in ('key_id', 'actor', 'action', 'event_data')}
    return Entry(**{**found, **texts}, body=None if body is None else text_bytes(body, where))


def read_lines(file: BinaryIO) -> Iterator[tuple[str, dict[str, Any]]]:
    """The lines of an export, each with the words that name it."""
    number = 0
    while line := file.readline(MAX_LINE_BYTES + 2):
        number += 1
        where = f'line {number}'
        if len(line) > MAX_LINE_BYTES + 1:
            raise InputError(f'{where} is longer than {MAX_LINE_BYTES} bytes')
        yield where, parse_line(line, where)


def read_header(value: dict[str, Any]) -> dict[str, Any]:
    """The first line of an export."""
    if value.pop('type', None) != 'header':
        raise InputError('the first line is not the header of an export')
    header = members(value, HEADER_MEMBERS, 'the header')
    if header['format'] != 'sentineld-ledger-export' or header['version'] != 1:
        raise InputError('the header is not that of an export of version 1')
    if header['origin'] != origin_of(header['ledger_id']):
        raise InputError('origin of the header is not that of its ledger_id')
    start = members(header['start'], START_MEMBERS, 'start')
    start['tree_range'] = [hex_bytes(node, 32, 'tree_range') for node in start['tree_range']]
    size = start['sequence']
    if size != header['from'] - 1 or len(start['tree_range']) != size.bit_count() or (size == 0 and start['entry_hash'] != ZERO_HASH):
        raise InputError('start does not fit from')
    header['start'] = start
    header['keys'] = read_keys(header['keys'], header['origin'])
    return header


def read_keys(items: list[Any], origin: str) -> list[tuple[Key, int]]:
    """The list of keys of a header or a seal, by their first epochs."""
    found: list[tuple[Key, int]] = []
    for item in items:
        pair = members(item, {'key': str, 'first_epoch': int}, 'an item of keys')
        try:
            key = parse_key(pair['key'])
        except ValueError as error:
            raise InputError(f'a key of the list cannot be read: {error}') from error
        if key.origin != origin or pair['first_epoch'] < 1 or (found and pair['first_epoch'] < found[-1][1]):
            raise InputError('the keys of the list are not those of this ledger by their first epochs')
        found.append((key, pair['first_epoch']))
    return found


def walk_of_header(header: dict[str, Any], known: Known) -> Walk:
    """What is known at the start of an export."""
    start = header['start']
    walk = Walk(start['sequence'], start['entry_hash'], start['tree_range'], dict(known.keys))
    if walk.sequence == 0:
        walk.claimed_id = header['ledger_id']
    else:
        # The epoch of the first entry or checkpoint is bound by the first checkpoint.
        walk.ledger_id, walk.next_epoch, walk.next_checkpoint = header['ledger_id'], None, None
    return walk


def settle_start_keys(walk: Walk, header: dict[str, Any], epoch: int) -> None:
    """The keys that were told of before the first entry of an export that does not begin with entry 1."""
    if walk.entries > 0 or header['from'] == 1:
        return
    walk.keys = [(key, first) for key, first in header['keys'] if first <= epoch]


def check_end(walk: Walk, header: dict[str, Any], end: dict[str, Any]) -> None:
    """The last line, and that the file has what its header says."""
    found = members(end, {'entries': int, 'checkpoints': int}, 'the last line')
    if found != {'entries': walk.entries, 'checkpoints': walk.checkpoints}:
        raise InputError('the last line says another number of entries or checkpoints than there are')
    if walk.sequence != header['to'] or walk.last_size != header['to']:
        raise InputError(f'the header says that entries and checkpoints go to {header["to"]}, which they do not')
    check_any_trust(walk)
    check_whole_trust(walk)


def take_line(walk: Walk, header: dict[str, Any], line: dict[str, Any], where: str) -> None:
    """An entry or a checkpoint of an export."""
    kind = line.pop('type', None)
    if kind == 'entry':
        entry = entry_of_line(line, where)
        settle_start_keys(walk, header, entry.epoch - (1 if tells_key(entry, b'key_create') else 0))
        take_entry(walk, entry)
    elif kind == 'checkpoint':
        found = members(line, CHECKPOINT_MEMBERS, where)
        if found['epoch'] == 0:
            raise InputError(f'epoch of {where} is 0')
        settle_start_keys(walk, header, found['epoch'])
        take_checkpoint(walk, Checkpoint(**{**found, 'note': text_bytes(found['note'], where)}))
    else:
        raise InputError(f'{where} is not an entry, a checkpoint or the end')


def verify_export(first: dict[str, Any], lines: Iterator[tuple[str, dict[str, Any]]], known: Known) -> Walk:
    """Verifies an export, whose first line was read already."""
    header = read_header(first)
    walk = walk_of_header(header, known)
    expect_known(walk, known)
    try:
        for where, line in lines:
            if line.get('type') == 'end':
                del line['type']
                check_end(walk, header, line)
                if next(lines, None) is not None:
                    raise InputError('there are lines after the end')
                check_known(walk, known, header['from'] - 1)
                return walk
            take_line(walk, header, line, where)
    except Failure as failure:
        raise Broken(walk, failure) from failure
    raise InputError('the file has no last line: it was cut off')


class Broken(Exception):
    """A failure, with what had been seen before it."""

    def __init__(self, walk: Walk, failure: Failure) -> None:
        super().__init__(failure.why)
        self.walk, self.failure = walk, failure


# --- Proof of one entry ---


def read_tlog_proof(text: str) -> tuple[int, list[bytes], bytes]:
    """Index, hashes and note of C2SP's tlog-proof; its line of extra data is none of ours and ignored."""
    head, gap, note = text.partition('\n\n')
    lines = head.split('\n')
    if len(lines) > 1 and lines[1].startswith('extra '):
        del lines[1]
    if gap == '' or len(lines) < 2 or lines[0] != 'c2sp.org/tlog-proof@v1' or not lines[1].startswith('index '):
        raise InputError('tlog_proof is not a proof of c2sp.org/tlog-proof@v1')
    index = decimal(lines[1].removeprefix('index '))
    if index is None or len(lines) > 2 + 64:
        raise InputError('tlog_proof has no index, or more hashes than a tree is deep')
    try:
        return index, [decode_base64(line, 32, 'a hash') for line in lines[2:]], note.encode('utf-8')
    except ValueError as error:
        raise InputError(f'tlog_proof is not a proof: {error}') from error


def check_proof_note(entry: Entry, data: bytes, known: Known) -> Note:
    """The checkpoint of a proof: read, and signed by a key that is trusted."""
    try:
        note = parse_note(data)
    except ValueError as error:
        raise InputError(f'the note of the proof cannot be read: {error}') from error
    own = [key for key in known.keys.values() if key.origin == note.origin]
    if not own:
        raise Failure(entry.sequence, 'key', 'no key that is trusted has the origin of the note')
    verdicts = [signed_by(note, key) for key in own]
    if not any(verdicts):
        what = 'signature' if False in verdicts else 'key'
        raise Failure(entry.sequence, what, 'the note is signed by no key that is trusted')
    return note


def verify_proof(value: dict[str, Any], known: Known) -> Entry:
    """Verifies the proof of one entry."""
    found = members(value, {'format': str, 'version': int, 'entry': dict, 'tlog_proof': str}, 'the proof')
    if found['format'] != 'sentineld-ledger-proof' or found['version'] != 1:
        raise InputError('the file is not a proof of version 1')
    if not known.keys:
        raise InputError('a proof says nothing without a key that is trusted: give one with --key')
    if known.notes or known.head:
        raise InputError('--checkpoint and --head are for ledgers and exports')
    entry = entry_of_line(found['entry'], 'entry')
    index, path, data = read_tlog_proof(found['tlog_proof'])
    check_fields(entry)
    check_hashes(entry)
    check_body(entry)
    note = check_proof_note(entry, data, known)
    if index != entry.sequence - 1 or inclusion_root(index, note.tree_size, leaf_hash(canonical_bytes(entry)), path) != note.root:
        raise Failure(entry.sequence, 'tree', 'the hashes do not lead from the entry to the root of the note')
    for key in known.keys.values():
        if key.origin == note.origin and key.key_id.encode() == entry.key_id:
            check_entry_signature(entry, key)
    return entry


# --- Ledger ---

ENTRY_COLUMNS = {
    'sequence': 'integer', 'timestamp': 'integer', 'actor': 'text', 'action': 'text', 'payload_hash': 'blob', 'prev_hash': 'blob',
    'entry_hash': 'blob', 'signature': 'blob', 'event_data': 'text', 'format_version': 'integer', 'epoch': 'integer', 'key_id': 'text',
}  # fmt: skip
CHECKPOINT_COLUMNS = {
    'epoch': 'integer', 'tree_size': 'integer', 'timestamp': 'integer', 'root_hash': 'blob', 'key_id': 'text', 'note': 'text', 'tree_range': 'blob',
}  # fmt: skip
SEAL_COLUMNS = {
    'sequence': 'integer', 'epoch': 'integer', 'entry_hash': 'blob', 'tree_range': 'blob', 'ledger_id': 'text', 'host_id': 'text', 'keys': 'text',
}  # fmt: skip
BLOB_SIZES = {'payload_hash': 32, 'prev_hash': 32, 'entry_hash': 32, 'root_hash': 32}
MAX_COLUMN_BYTES = MAX_EVENT_BYTES[1]


def open_ledger(path: str) -> sqlite3.Connection:
    """A connection that cannot write. Without a log beside it the file is read as it lies, so that SQLite makes no file there."""
    full = os.path.abspath(path)
    log = full + '-wal'
    mode = 'mode=ro' if os.path.exists(log) and os.path.getsize(log) > 0 else 'mode=ro&immutable=1'
    database = sqlite3.connect(f'file:{urllib.parse.quote(full)}?{mode}', uri=True, isolation_level=None)
    database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 2 * MAX_BODY_BYTES)
    for pragma in ('trusted_schema=OFF', 'query_only=ON', 'cell_size_check=ON'):
        database.execute(f'PRAGMA {pragma}')
    database.execute('BEGIN')
    return database


def table_columns(database: sqlite3.Connection, table: str) -> list[str]:
    """The columns of a table that is one: a view could make up its rows."""
    kinds = database.execute('SELECT type FROM sqlite_schema WHERE name = ?', (table,)).fetchall()
    if kinds and kinds != [('table',)]:
        raise InputError(f'{table} is not a table')
    return [row[1] for row in database.execute(f'PRAGMA table_info({table})')]


def select_rows(database: sqlite3.Connection, table: str, columns: dict[str, str], order: str) -> Iterator[dict[str, tuple[str, Any]]]:
    """Rows as the type and the value of each column; texts and blobs as bytes, cut off where they are too long."""
    present = table_columns(database, table)
    # A ledger of an earlier release has no epoch and no key_id, or not this table.
    absent = {'epoch': ('integer', 0), 'key_id': ('text', b'')} if table == 'audit_ledger' else {}
    names = [name for name in columns if name in present]
    if not names or set(columns) - set(names) - set(absent):
        if present or table == 'audit_ledger':
            raise InputError(f'{table} is missing, or has not its columns')
        return
    cut = f'substr(CAST({{0}} AS BLOB), 1, {MAX_COLUMN_BYTES + 1})'
    wanted = ', '.join(f"typeof({n}), CASE WHEN typeof({n}) IN ('text', 'blob') THEN {cut.format(n)} ELSE {n} END" for n in names)
    for row in database.execute(f'SELECT {wanted} FROM {table} ORDER BY {order}'):
        # An empty text cut as a blob comes back as NULL.
        values = [b'' if row[2 * i] in ('text', 'blob') and row[2 * i + 1] is None else row[2 * i + 1] for i in range(len(names))]
        yield {**absent, **{name: (row[2 * i], values[i]) for i, name in enumerate(names)}}


def check_row(row: dict[str, tuple[str, Any]], columns: dict[str, str], at: int, what: str = 'row') -> dict[str, Any]:
    """Rule 1 for one row: types, and numbers and hashes of their sizes."""
    found: dict[str, Any] = {}
    for name, form in columns.items():
        kind, value = row[name]
        if name == 'signature' and kind == 'null':
            found[name] = None
            continue
        if kind != form:
            raise Failure(at, what, f'{name} is {kind}, not {form}')
        if form == 'integer' and (value > MAX_SAFE or (value < 0 and columns is not ENTRY_COLUMNS)):
            raise Failure(at, what, f'{name} is not from 0 to 2^53 - 1')
        if form == 'integer' and value < 0 and name in ('timestamp', 'epoch'):
            raise Failure(at, 'field', f'{name} is below 0')
        if form == 'blob' and len(value) != BLOB_SIZES.get(name, len(value)):
            raise Failure(at, 'field' if what == 'row' and name != 'root_hash' else what, f'{name} is not {BLOB_SIZES[name]} bytes')
        if form == 'text':
            check_text(value, name, at, what)
        found[name] = value
    return found


def check_text(value: bytes, name: str, at: int, what: str) -> None:
    """A text column: bounded, and UTF-8, which in Python has no lone surrogates. Notes are read with rule 10."""
    if name == 'note' and len(value) > MAX_NOTE_BYTES:
        return
    if len(value) > MAX_COLUMN_BYTES:
        raise Failure(at, 'field' if name == 'event_data' else what, f'{name} is too long')
    try:
        value.decode('utf-8')
    except UnicodeDecodeError as error:
        raise Failure(at, what, f'{name} is not UTF-8') from error


def check_tree_range(row: Checkpoint) -> None:
    """Rule 1 for the compact range of a checkpoint: so many nodes as its tree has."""
    if len(row.tree_range or b'') != 32 * row.tree_size.bit_count():
        raise Failure(row.tree_size, 'row', 'tree_range has not as many nodes as a tree of tree_size', row.epoch)


def read_body(database: sqlite3.Connection, entry: Entry) -> bytes | None:
    """The details that are kept beside an entry."""
    reference = body_reference(entry)
    if reference is None or not table_columns(database, 'audit_body'):
        return None
    sql = f"SELECT typeof(body), substr(CAST(body AS BLOB), 1, {MAX_BODY_BYTES + 1}) FROM audit_body WHERE blake3 = ?"
    found = database.execute(sql, (reference[0],)).fetchone()
    return (found[1] or b'') if found is not None and found[0] == 'text' else None


def read_seal(database: sqlite3.Connection) -> dict[str, Any] | None:
    """The row of `audit_seal`, where older entries were archived."""
    rows = select_rows(database, 'audit_seal', SEAL_COLUMNS, '1')
    row, second = next(rows, None), next(rows, None)
    if row is None:
        return None
    at = row['sequence'][1] if row['sequence'][0] == 'integer' else 0
    if second is not None:
        raise Failure(at, 'seal', 'there is more than one seal')
    seal = check_row(row, SEAL_COLUMNS, at, 'seal')
    seal['ledger_id'] = seal['ledger_id'].decode()
    if seal['sequence'] < 1 or seal['epoch'] < 1 or len(seal['tree_range']) != 32 * seal['sequence'].bit_count():
        raise Failure(at, 'seal', 'the seal is not that of a tree')
    try:
        listed = json.loads(seal['keys'], object_pairs_hook=unique_members)
        seal['listed'] = listed if isinstance(listed, list) else []
        seal['keys'] = read_keys(seal['listed'], origin_of(seal['ledger_id']))
    except (ValueError, RecursionError, InputError) as error:
        raise Failure(at, 'seal', 'the keys of the seal cannot be read') from error
    return seal


def walk_of_seal(seal: dict[str, Any] | None, known: Known) -> Walk:
    """What is known before the first row."""
    if seal is None:
        return Walk(0, ZERO_HASH, [], dict(known.keys))
    nodes = [seal['tree_range'][i : i + 32] for i in range(0, len(seal['tree_range']), 32)]
    # The list has all keys up to the entry that tells of the archive; those after the seal are told of again by entries.
    keys = [(key, first_epoch) for key, first_epoch in seal['keys'] if first_epoch <= seal['epoch'] + 1]
    walk = Walk(seal['sequence'], seal['entry_hash'], nodes, dict(known.keys), seal['ledger_id'], keys=keys)
    walk.next_epoch = walk.next_checkpoint = seal['epoch']
    return walk


def take_sealed_checkpoint(walk: Walk, seal: dict[str, Any], row: Checkpoint | None) -> None:
    """The checkpoint that the seal rests on."""
    if row is None or row.epoch != seal['epoch']:
        raise Failure(seal['sequence'], 'seal', 'the checkpoint of the seal is missing', seal['epoch'])
    if row.tree_size != seal['sequence']:
        check_signer(walk, row, read_note(walk, row))
        raise Failure(row.tree_size, 'seal', 'the checkpoint of the epoch of the seal has another tree size', seal['epoch'])
    try:
        take_checkpoint(walk, row)
    except Failure as failure:
        what = 'seal' if failure.what == 'tree' else failure.what
        raise Failure(failure.sequence, what, failure.why, failure.epoch) from failure


def check_archive_entry(walk: Walk, seal: dict[str, Any], root: bytes) -> None:
    """The entry about the archive says the same as the seal."""
    told = [event for event in walk.archives if event.get('through_sequence') == seal['sequence']]
    expected = {'epoch': seal['epoch'], 'root': root.hex(), 'chain': seal['entry_hash'].hex(), 'keys': seal['listed']}
    if not told:
        raise Failure(seal['sequence'], 'seal', 'no ledger_archive entry speaks of the seal')
    for event in told:
        if any(event.get(name) != value for name, value in expected.items()):
            raise Failure(seal['sequence'], 'seal', 'the ledger_archive entry does not say what the seal says')


def ledger_checkpoints(database: sqlite3.Connection) -> Iterator[Checkpoint]:
    """The rows of `audit_checkpoint`, their types checked."""
    for row in select_rows(database, 'audit_checkpoint', CHECKPOINT_COLUMNS, 'epoch'):
        kind, size = row['tree_size']
        found = check_row(row, CHECKPOINT_COLUMNS, size if kind == 'integer' and 0 <= size <= MAX_SAFE else 0)
        checkpoint = Checkpoint(**{**found, 'key_id': found['key_id'].decode()})
        check_tree_range(checkpoint)
        yield checkpoint


def ledger_entries(database: sqlite3.Connection, walk: Walk) -> Iterator[Entry]:
    """The rows of `audit_ledger`, their types checked."""
    for row in select_rows(database, 'audit_ledger', ENTRY_COLUMNS, 'sequence'):
        kind, value = row['sequence']
        yield Entry(**check_row(row, ENTRY_COLUMNS, value if kind == 'integer' else walk.sequence + 1))


def walk_rows(database: sqlite3.Connection, walk: Walk, seal: dict[str, Any] | None) -> None:
    """Goes through both tables: a checkpoint comes directly after the entry with the number of its tree size."""
    checkpoints = ledger_checkpoints(database)
    pending = next(checkpoints, None)
    if seal is not None:
        root = range_root(walk.nodes)
        take_sealed_checkpoint(walk, seal, pending)
        pending = next(checkpoints, None)
    for entry in ledger_entries(database, walk):
        while pending is not None and pending.tree_size <= walk.sequence:
            take_checkpoint(walk, pending)
            pending = next(checkpoints, None)
        entry.body = read_body(database, entry)
        take_entry(walk, entry)
    if seal is None and walk.entries == 0:
        raise Failure(1, 'empty', 'the ledger has no entry')
    while pending is not None:
        take_checkpoint(walk, pending)
        pending = next(checkpoints, None)
    check_any_trust(walk)
    if seal is not None:
        check_archive_entry(walk, seal, root)
    check_whole_trust(walk)


def verify_ledger(path: str, known: Known) -> Walk:
    """Verifies the database of a ledger."""
    try:
        with contextlib.closing(open_ledger(path)) as database:
            walk = Walk(0, ZERO_HASH, [], {})
            try:
                seal = read_seal(database)
                walk = walk_of_seal(seal, known)
                expect_known(walk, known)
                first = walk.sequence
                walk_rows(database, walk, seal)
                check_known(walk, known, first)
            except Failure as failure:
                raise Broken(walk, failure) from failure
            return walk
    except (sqlite3.Error, UnicodeError) as error:
        raise InputError(f'the ledger cannot be read: {error}') from error


# --- Self test: published vectors ---

# BLAKE3: the official test_vectors.json, the first 32 bytes of `hash`.
BLAKE3_VECTORS: dict[int, str] = {
    0: 'af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262',
    1: '2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213',
    1023: '10108970eeda3eb932baac1428c7a2163b0e924c9a9e25b35bba72b28f70bd11',
    1024: '42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7',
    1025: 'd00278ae47eb27b34faecf67b4fe263f82d5412916c1ffd97c8cb7fb814b8444',
    2048: 'e776b6028c7cd22a4d0ba182a8bf62205d2ef576467e838ed6f2529b85fba24a',
    2049: '5f4d72f40d7a5f82b15ca2b2e44b1de3c2ef86c426c95c1af0b6879522563030',
}
# RFC 8032, section 7.1, tests 1 to 3: public key, message, signature.
ED25519_VECTORS = (
    (
        'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
        '',
        'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155'
        '5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
    ),
    (
        '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
        '72',
        '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da'
        '085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
    ),
    (
        'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
        'af82',
        '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac'
        '18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
    ),
)
# The leaves of the reference implementation of RFC 6962 and the roots of the first one, two, ... of them.
CT_LEAVES = ('', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f')
CT_EMPTY_ROOT = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
CT_ROOTS = (
    '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
    'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
    'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
    'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
    '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
    '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
    'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
    '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
)
# The audit path of leaf 5 of 8 of the reference implementation, counted from 0.
CT_PATH_5_OF_8 = (
    'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
    'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0',
    'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
)
# The two entries of the worked example of docs/ledger-format.md: timestamp, action, event_data, entry_hash.
EXAMPLE = (
    (1767225600000, b'ledger_create', '{"ledger_id":"3b241101-e2bb-4255-8caf-4136c566a962","host_id":"web-1","format":1,"hash":"BLAKE3"}',
     '467fa895cc84066e4c0b166a6b64b76fef1166e0c383303eb53a4091fc7df8e3'),
    (1767225601500, b'process_scan_complete', '{"scan_id":1,"processes":214,"user":"Zoë"}',
     'aef34533e38a9807c124c97613ef3779e4455b76004fe3851947a6a104bfbb94'),
)  # fmt: skip


def test_hashes() -> Iterator[tuple[str, bool]]:
    """BLAKE3, with input bytes 0 to 250 over and over."""
    for length, digest in BLAKE3_VECTORS.items():
        yield f'BLAKE3 of {length} bytes', blake3(bytes(i % 251 for i in range(length))).hex() == digest


def test_signatures() -> Iterator[tuple[str, bool]]:
    """Ed25519: each vector holds, and fails with one bit changed in the message, R or S."""
    for number, (public, message, signature) in enumerate(ED25519_VECTORS, 1):
        key, text, signed = bytes.fromhex(public), bytes.fromhex(message), bytes.fromhex(signature)
        yield f'RFC 8032 test {number}', ed25519_verify(key, text, signed)
        yield f'RFC 8032 test {number}, other message', not ed25519_verify(key, text + b'\0', signed)
        for place in (0, 32):
            damaged = signed[:place] + bytes([signed[place] ^ 1]) + signed[place + 1 :]
            yield f'RFC 8032 test {number}, byte {place} changed', not ed25519_verify(key, text, damaged)
        larger = signed[:32] + (int.from_bytes(signed[32:], 'little') + L).to_bytes(32, 'little')
        yield f'RFC 8032 test {number}, S not below L', not ed25519_verify(key, text, larger)


def test_tree() -> Iterator[tuple[str, bool]]:
    """Roots and one audit path of RFC 6962."""
    yield 'RFC 6962, root of no leaves', range_root([]).hex() == CT_EMPTY_ROOT
    nodes: list[bytes] = []
    for size, (leaf, root) in enumerate(zip(CT_LEAVES, CT_ROOTS, strict=True)):
        nodes = append_leaf(nodes, size, leaf_hash(bytes.fromhex(leaf)))
        yield f'RFC 6962, root of {size + 1} leaves', range_root(nodes).hex() == root
    path = [bytes.fromhex(item) for item in CT_PATH_5_OF_8]
    leaf_5 = leaf_hash(bytes.fromhex(CT_LEAVES[5]))
    yield 'RFC 6962, audit path', (inclusion_root(5, 8, leaf_5, path) or b'').hex() == CT_ROOTS[7]
    yield 'RFC 6962, audit path of another place', inclusion_root(4, 8, leaf_5, path) != bytes.fromhex(CT_ROOTS[7])
    yield 'RFC 6962, audit path too short', inclusion_root(5, 8, leaf_5, path[:2]) is None


def test_example() -> Iterator[tuple[str, bool]]:
    """The worked example of the page."""
    prev = ZERO_HASH
    for sequence, (timestamp, action, event, digest) in enumerate(EXAMPLE, 1):
        data = event.encode()
        entry = Entry(sequence, timestamp, b'procmond', action, blake3(data), prev, b'', None, data, 1, 0, b'')
        prev = blake3(canonical_bytes(entry))
        yield f'worked example, entry {sequence}', prev.hex() == digest


def self_test() -> int:
    """Runs all vectors."""
    results = [*test_hashes(), *test_signatures(), *test_tree(), *test_example()]
    failed = [name for name, passed in results if not passed]
    print(json.dumps({'ok': not failed, 'tests': len(results), 'failed': failed}))
    return 1 if failed else 0


# --- Command line ---


def read_bounded(path: str, limit: int) -> bytes:
    """The bytes of a regular file up to a limit."""
    with open_regular(path) as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise InputError(f'the file is longer than {limit} bytes')
    return data


def open_regular(path: str) -> BinaryIO:
    """Opens a regular file: a pipe could keep the verifier waiting."""
    file = open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), 'rb')
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise InputError('it is not a regular file')
    return file


def read_known(arguments: argparse.Namespace) -> Known:
    """What was given on the command line to hold the file against."""
    head = re.fullmatch('([1-9][0-9]{0,15}):([0-9a-f]{64})', arguments.head, re.ASCII) if arguments.head is not None else None
    if arguments.head is not None and head is None:
        raise InputError('--head is not <sequence>:<entry_hash in hex>')
    try:
        keys = {key.text: key for key in map(parse_key, arguments.key)}
        notes = [parse_note(read_bounded(path, MAX_NOTE_BYTES)) for path in arguments.checkpoint]
    except ValueError as error:
        raise InputError(f'a key or checkpoint cannot be read: {error}') from error
    return Known(keys, notes, (int(head[1]), bytes.fromhex(head[2])) if head else None)


def walk_answer(kind: str, walk: Walk, failure: Failure | None) -> dict[str, Any]:
    """The answer of a walk."""
    counts = {'ok': failure is None, 'kind': kind, 'entries': walk.entries, 'checkpoints': walk.checkpoints}
    return {**counts, 'failure': failure.as_json() if failure else None, 'notes': walk.notes}


def verify_text(path: str, known: Known) -> dict[str, Any]:
    """Verifies an export or a proof; which one it is says its first line."""
    with open_regular(path) as file:
        if b'"sentineld-ledger-proof"' in file.read(4096):
            value = parse_line(read_bounded(path, MAX_PROOF_BYTES), 'the file')
            failure = None
            try:
                verify_proof(value, known)
            except Failure as found:
                failure = found
            return {'ok': failure is None, 'kind': 'proof', 'entries': 1, 'failure': failure.as_json() if failure else None}
        file.seek(0)
        lines = read_lines(file)
        _, first = next(lines, ('', {}))
        try:
            return walk_answer('export', verify_export(first, lines, known), None)
        except Broken as broken:
            return walk_answer('export', broken.walk, broken.failure)


def verify_file(arguments: argparse.Namespace) -> dict[str, Any]:
    """Verifies the file of the command line."""
    known = read_known(arguments)
    if not arguments.ledger:
        return verify_text(arguments.file, known)
    open_regular(arguments.file).close()
    try:
        return walk_answer('ledger', verify_ledger(arguments.file, known), None)
    except Broken as broken:
        return walk_answer('ledger', broken.walk, broken.failure)


def main() -> int:
    """Exit status 0, 1 or 2."""
    parser = argparse.ArgumentParser(prog='verify.py', description='Verifies a SentinelD ledger, an export of it or the proof of one entry.')
    parser.add_argument('file', nargs='?', help='an export or a proof, or with --ledger the ledger.db')
    parser.add_argument('--ledger', action='store_true', help='the file is the database of a ledger')
    parser.add_argument('--key', action='append', default=[], help='a key that is trusted, in its one line')
    parser.add_argument('--checkpoint', action='append', default=[], help='the file of a checkpoint known from elsewhere')
    parser.add_argument('--head', help='a head known from elsewhere: <sequence>:<entry_hash in hex>')
    parser.add_argument('--self-test', action='store_true', help='run the published test vectors')
    arguments = parser.parse_args()
    if arguments.self_test:
        return self_test()
    if arguments.file is None:
        parser.error('no file to verify')
    try:
        answer = verify_file(arguments)
    except (InputError, OSError) as error:
        answer = {'ok': False, 'entries': 0, 'failure': None, 'error': str(error)}
    print(json.dumps(answer))
    return 2 if 'error' in answer else 0 if answer['ok'] else 1


if __name__ == '__main__':
    sys.exit(main())
