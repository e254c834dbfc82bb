/*
 * format_test.c
 *      Unit test of src/format: the vectors in test/vectors, then damage of every kind.
 *
 * Prints TAP. Every byte string under test lives in a malloc of its exact size, so that
 * the address sanitizer sees the first byte read too many.
 *
 *      format_test [directory of the vectors]
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/evp.h>

#include "format/entry.h"
#include "format/merkle.h"
#include "format/note.h"
#include "format/record.h"
#include "format/tile.h"

#define MAX_WORDS 64
#define MAX_ALLOCATIONS 4096
#define MAX_LEAVES 128
#define MAX_OBJECTS 2048

#define LOG_KEY "ledger.example.gov/registry+62949d65+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4"
#define WITNESS_KEY "witness.example.gov/w1+173a951a+BCmsuuFBvMrwsi4alNNNC8c2HlJtC/4SyJeUvJMilm3X"

/* --- small tools --- */

static const char *vector_directory = "test/vectors";
static int  tests = 0;
static int  failures = 0;

/* what one vector or test has allocated */
static void *allocations[MAX_ALLOCATIONS];
static int  allocation_count = 0;

static void
die(const char *message)
{
    printf("Bail out! %s\n", message);
    exit(2);
}

static void *
keep(void *pointer)
{
    if (pointer == NULL || allocation_count == MAX_ALLOCATIONS)
        die("out of memory");
    allocations[allocation_count++] = pointer;
    return pointer;
}

static void
forget_all(void)
{
    while (allocation_count > 0)
        free(allocations[--allocation_count]);
}

static void __attribute__((format(printf, 2, 3)))
ok(bool good, const char *format,...)
{
    va_list     args;

    printf("%sok %d - ", good ? "" : "not ", ++tests);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
    if (!good)
        failures++;
}

static void *
grow(void *old, size_t size)
{
    void       *grown = realloc(old, size);

    if (grown == NULL)
        die("out of memory");
    return grown;
}

/* The content of a buffer in an allocation of its exact size; frees the buffer. */
static GlBytes
take(GlBuffer *buffer)
{
    GlBytes     bytes;
    uint8_t    *copy = keep(malloc(buffer->length > 0 ? buffer->length : 1));

    if (buffer->length > 0)
        memcpy(copy, buffer->data, buffer->length);
    bytes.data = copy;
    bytes.length = buffer->length;
    free(buffer->data);
    gl_buffer_init(buffer, grow);
    return bytes;
}

static GlBytes
text_bytes(const char *text)
{
    GlBytes     bytes = {(const uint8_t *) text, strlen(text)};

    return bytes;
}

static int
hex_digit(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    die("bad hex in a vector");
    return 0;
}

static GlBytes
hex(const char *word)
{
    size_t      length = strcmp(word, "-") == 0 ? 0 : strlen(word) / 2;
    uint8_t    *data = keep(malloc(length > 0 ? length : 1));
    GlBytes     bytes = {data, length};
    size_t      i;

    for (i = 0; i < length; i++)
        data[i] = (uint8_t) (hex_digit(word[2 * i]) << 4 | hex_digit(word[2 * i + 1]));
    return bytes;
}

static GlHash
hex_hash(const char *word)
{
    GlBytes     bytes = hex(word);
    GlHash      hash;

    if (bytes.length != GL_HASH_SIZE)
        die("a hash in a vector has another size");
    memcpy(hash.bytes, bytes.data, GL_HASH_SIZE);
    return hash;
}

static GlSalt
hex_salt(const char *word)
{
    GlBytes     bytes = hex(word);
    GlSalt      salt;

    if (bytes.length != GL_SALT_SIZE)
        die("a salt in a vector has another size");
    memcpy(salt.bytes, bytes.data, GL_SALT_SIZE);
    return salt;
}

/* Comma-separated hashes; returns their number. */
static int
hex_path(char *word, GlHash *path)
{
    int         count = 0;
    char       *item;
    char       *rest = NULL;

    if (strcmp(word, "-") == 0)
        return 0;
    for (item = strtok_r(word, ",", &rest); item != NULL; item = strtok_r(NULL, ",", &rest))
        path[count++] = hex_hash(item);
    return count;
}

static uint64_t
number(const char *word)
{
    return strtoull(word, NULL, 10);
}

static int64_t
signed_number(const char *word)
{
    return strtoll(word, NULL, 10);
}

static uint32_t
hex_id(const char *word)
{
    return (uint32_t) strtoul(word, NULL, 16);
}

static bool
is_hash(const GlHash *hash, const char *word)
{
    GlHash      wanted = hex_hash(word);

    return gl_hash_equal(hash, &wanted);
}

static bool
buffer_is(GlBuffer *buffer, GlBytes wanted)
{
    return gl_bytes_equal(take(buffer), wanted);
}

/* --- vectors: RFC 6962 --- */

static GlHash small_tree[MAX_LEAVES];
static int  small_tree_size = 0;
static GlHash small_roots[MAX_LEAVES];

/* GlMerkleNodeFunction over an array of leaves; counts down *arg->calls and fails at zero if it is set. */
typedef struct LeafArray
{
    const GlHash *leaves;
    uint64_t    size;
    int         fail_after;     /* negative: never */
} LeafArray;

static bool
node_of_leaves(void *arg, int level, uint64_t index, GlHash *node)
{
    LeafArray  *array = arg;
    GlMerkleEdge edge;
    uint64_t    i;

    if (array->fail_after >= 0 && array->fail_after-- == 0)
        return false;
    if (((index + 1) << level) > array->size)
        die("a proof asked for a node outside the tree");
    gl_merkle_init(&edge);
    for (i = index << level; i < (index + 1) << level; i++)
        gl_merkle_append(&edge, &array->leaves[i]);
    gl_merkle_root(&edge, node);
    return true;
}

static bool
v_leaf(char **words)
{
    GlBytes     data = hex(words[0]);
    GlHash      leaf;

    gl_merkle_leaf(data.data, data.length, &leaf);
    return is_hash(&leaf, words[1]);
}

static bool
v_node(char **words)
{
    static const uint8_t prefix = 1;
    GlBytes     parts[3] = {{&prefix, 1}, hex(words[0]), hex(words[1])};
    GlHash      hash;

    gl_sha256_parts(parts, 3, &hash);
    return is_hash(&hash, words[2]);
}

static bool
v_tree_leaf(char **words)
{
    GlBytes     data = hex(words[0]);

    gl_merkle_leaf(data.data, data.length, &small_tree[small_tree_size++]);
    return small_tree_size <= MAX_LEAVES;
}

static bool
v_root(char **words)
{
    int         size = (int) number(words[0]);
    LeafArray   array = {small_tree, (uint64_t) size, -1};
    GlMerkleEdge edge;
    GlMerkleEdge copy;
    GlMerkleEdge read;
    GlBuffer    buffer;
    GlBytes     written;
    GlHash      root;
    GlHash      prefix_root;
    int         i;

    gl_merkle_init(&edge);
    for (i = 0; i < size; i++)
        gl_merkle_append(&edge, &small_tree[i]);
    gl_merkle_copy(&copy, &edge);
    gl_buffer_init(&buffer, grow);
    gl_merkle_edge_write(&copy, &buffer);
    written = take(&buffer);
    if (!gl_merkle_edge_read(&read, (uint64_t) size, written.data, written.length) ||
        gl_merkle_edge_read(&copy, (uint64_t) size, written.data, written.length + GL_HASH_SIZE) ||
        gl_merkle_edge_read(&copy, (uint64_t) size + 1, written.data, written.length) !=
        (__builtin_popcount((unsigned) size) == __builtin_popcount((unsigned) size + 1)))
        return false;
    gl_merkle_root(&read, &root);
    small_roots[size] = root;
    return is_hash(&root, words[1]) &&
        gl_merkle_prefix_root((uint64_t) size, node_of_leaves, &array, &prefix_root) &&
        gl_hash_equal(&root, &prefix_root);
}

static bool
v_numbered_root(char **words)
{
    int         size = (int) number(words[0]);
    GlMerkleEdge edge;
    GlHash      hash;
    int         i;

    gl_merkle_init(&edge);
    for (i = 0; i < size; i++)
    {
        char        text[32];
        int         length = snprintf(text, sizeof(text), "entry %d", i);

        gl_merkle_leaf(text, (size_t) length, &hash);
        gl_merkle_append(&edge, &hash);
    }
    gl_merkle_root(&edge, &hash);
    return is_hash(&hash, words[1]);
}

/* The proof holds, and no change of it does. */
static bool
inclusion_is_tight(uint64_t index, uint64_t size, const GlHash *leaf, GlHash *path, int count, const GlHash *root)
{
    GlHash      other = *root;
    int         i;

    if (!gl_merkle_verify_inclusion(index, size, leaf, path, count, root))
        return false;
    other.bytes[31] ^= 1;
    path[count] = *root;
    if (gl_merkle_verify_inclusion(index, size, leaf, path, count, &other) ||
        gl_merkle_verify_inclusion(index, size, &other, path, count, root) ||
        gl_merkle_verify_inclusion(index, size, leaf, path, count + 1, root) ||
        gl_merkle_verify_inclusion(index, size, leaf, path, count - 1, root) ||
        gl_merkle_verify_inclusion(size, size, leaf, path, count, root) ||
        gl_merkle_verify_inclusion(index, 0, leaf, path, count, root) ||
        (size > 1 && gl_merkle_verify_inclusion(index ^ 1, size, leaf, path, count, root)))
        return false;
    for (i = 0; i < count; i++)
    {
        bool        good;

        path[i].bytes[0] ^= 0x80;
        good = gl_merkle_verify_inclusion(index, size, leaf, path, count, root);
        path[i].bytes[0] ^= 0x80;
        if (good)
            return false;
    }
    return true;
}

static bool
v_inclusion(char **words)
{
    uint64_t    index = number(words[0]);
    uint64_t    size = number(words[1]);
    LeafArray   array = {small_tree, size, -1};
    GlHash      path[65];
    GlHash      proof[64];
    int         count = hex_path(words[2], path);

    return gl_merkle_prove_inclusion(index, size, node_of_leaves, &array, proof) == count &&
        memcmp(path, proof, (size_t) count * sizeof(GlHash)) == 0 &&
        inclusion_is_tight(index, size, &small_tree[index], path, count, &small_roots[size]);
}

static bool
consistency_is_tight(uint64_t old_size, uint64_t size, GlHash *path, int count,
                     const GlHash *old_root, const GlHash *root)
{
    GlHash      other = {{1}};
    int         i;

    if (!gl_merkle_verify_consistency(old_size, size, path, count, old_root, root))
        return false;
    path[count] = *root;
    if (gl_merkle_verify_consistency(old_size, size, path, count, &other, root) ||
        gl_merkle_verify_consistency(old_size, size, path, count, old_root, &other) ||
        gl_merkle_verify_consistency(old_size, size, path, count + 1, old_root, root) ||
        gl_merkle_verify_consistency(old_size, size, path, count - 1, old_root, root) ||
        gl_merkle_verify_consistency(size + 1, size, path, count, old_root, root) ||
        gl_merkle_verify_consistency(0, size, path, count, old_root, root))
        return false;
    for (i = 0; i < count; i++)
    {
        bool        good;

        path[i].bytes[7] ^= 4;
        good = gl_merkle_verify_consistency(old_size, size, path, count, old_root, root);
        path[i].bytes[7] ^= 4;
        if (good)
            return false;
    }
    return true;
}

static bool
v_consistency(char **words)
{
    uint64_t    old_size = number(words[0]);
    uint64_t    size = number(words[1]);
    LeafArray   array = {small_tree, size, -1};
    GlHash      path[66];
    GlHash      proof[65];
    int         count = hex_path(words[2], path);

    return gl_merkle_prove_consistency(old_size, size, node_of_leaves, &array, proof) == count &&
        memcmp(path, proof, (size_t) count * sizeof(GlHash)) == 0 &&
        consistency_is_tight(old_size, size, path, count, &small_roots[old_size], &small_roots[size]);
}

/* --- vectors: notes and tiles --- */

static bool
v_base64(char **words)
{
    GlBytes     data = hex(words[0]);
    GlBytes     text = text_bytes(strcmp(words[1], "-") == 0 ? "" : words[1]);
    GlBuffer    buffer;
    bool        good;

    gl_buffer_init(&buffer, grow);
    gl_base64_append(&buffer, data.data, data.length);
    good = buffer_is(&buffer, text);
    return gl_base64_decode(&buffer, text.data, text.length) && buffer_is(&buffer, data) && good;
}

static bool
v_vkey(char **words)
{
    GlBytes     name = hex(words[1]);
    GlBytes     public_key = hex(words[4]);
    GlVerifierKey key;
    GlBuffer    buffer;

    gl_buffer_init(&buffer, grow);
    gl_verifier_key_write(&buffer, name, (uint8_t) number(words[3]), public_key.data);
    return buffer_is(&buffer, text_bytes(words[0])) &&
        gl_verifier_key_read(text_bytes(words[0]), &key) && gl_bytes_equal(key.name, name) &&
        key.key_id == hex_id(words[2]) && key.type == number(words[3]) &&
        memcmp(key.public_key, public_key.data, GL_ED25519_PUBLIC_SIZE) == 0;
}

static bool
v_key_id(char **words)
{
    GlBytes     key = hex(words[2]);

    return gl_key_id(hex(words[0]), (uint8_t) number(words[1]), key.data, key.length) == hex_id(words[3]);
}

static bool
v_body(char **words)
{
    GlHash      root = hex_hash(words[2]);
    GlBuffer    buffer;

    gl_buffer_init(&buffer, grow);
    gl_checkpoint_body(&buffer, hex(words[0]), number(words[1]), &root);
    return buffer_is(&buffer, hex(words[3]));
}

static bool
v_signature_line(char **words)
{
    GlBytes     payload = hex(words[2]);
    GlBuffer    buffer;

    gl_buffer_init(&buffer, grow);
    gl_note_signature_line(&buffer, hex(words[0]), hex_id(words[1]), payload.data, payload.length);
    return buffer_is(&buffer, hex(words[3]));
}

static GlVerifierKey
verifier_key(const char *text)
{
    GlVerifierKey key;

    if (!gl_verifier_key_read(text_bytes(text), &key))
        die("bad verifier key in a vector");
    return key;
}

/* A note that is no checkpoint, put into the same structure to verify its signature. */
static bool
v_note(char **words)
{
    GlVerifierKey key = verifier_key(words[0]);
    GlCheckpoint note;

    note.body = hex(words[1]);
    note.signatures = hex(words[2]);
    note.origin = key.name;
    return gl_checkpoint_verify(&note, &key, NULL) == GL_NOTE_VALID;
}

static GlBytes
read_file(const char *name)
{
    char        path[4096];
    GlBuffer    buffer;
    FILE       *file;
    size_t      got;

    snprintf(path, sizeof(path), "%s/%s", vector_directory, name);
    file = fopen(path, "rb");
    if (file == NULL)
        die(path);
    gl_buffer_init(&buffer, grow);
    do
    {
        gl_buffer_reserve(&buffer, 65536);
        got = fread(buffer.data + buffer.length, 1, 65536, file);
        buffer.length += got;
    } while (got > 0);
    fclose(file);
    return take(&buffer);
}

static bool
v_checkpoint_file(char **words)
{
    GlBytes     note = read_file(words[0]);
    GlVerifierKey key = verifier_key(words[1]);
    GlCheckpoint checkpoint;
    uint64_t    time = 0;

    return gl_checkpoint_read(note, &checkpoint) &&
        gl_checkpoint_verify(&checkpoint, &key, &time) == GL_NOTE_VALID &&
        gl_checkpoint_verify(&checkpoint, &key, NULL) == GL_NOTE_VALID &&
        time == (strcmp(words[2], "-") == 0 ? 0 : number(words[2]));
}

static bool
v_tile_path(char **words)
{
    char        path[64];
    int         length = gl_tile_path(path, (int) signed_number(words[0]), number(words[1]), (int) number(words[2]));

    return (size_t) length == strlen(words[3]) && strcmp(path, words[3]) == 0;
}

static bool
v_tile_width(char **words)
{
    return gl_tile_partial_width(number(words[0]), (int) number(words[1])) == (int) number(words[2]);
}

/* --- vectors: govledger's own objects --- */

static bool
v_varint(char **words)
{
    GlBytes     bytes = hex(words[1]);
    GlReader    reader;
    GlBuffer    buffer;

    gl_buffer_init(&buffer, grow);
    gl_buffer_varint(&buffer, number(words[0]));
    gl_reader_init(&reader, bytes.data, bytes.length);
    return buffer_is(&buffer, bytes) && gl_read_varint(&reader) == number(words[0]) && gl_reader_done(&reader);
}

static bool
v_salt(char **words)
{
    GlSalt      wanted = hex_salt(words[3]);
    GlSalt      salt;

    gl_salt(hex(words[0]).data, number(words[1]), (uint32_t) number(words[2]), &salt);
    return memcmp(salt.bytes, wanted.bytes, GL_SALT_SIZE) == 0;
}

static bool
v_secrets(char **words)
{
    GlBytes     secret = hex(words[0]);
    uint8_t     of_records[GL_SECRET_SIZE];
    GlSalt      of_context;

    gl_record_secret(secret.data, of_records);
    gl_salt(secret.data, GL_SALT_CONTEXT, 0, &of_context);
    return memcmp(of_records, hex(words[1]).data, GL_SECRET_SIZE) == 0 &&
        memcmp(of_context.bytes, hex(words[2]).data, GL_SALT_SIZE) == 0;
}

static bool
v_record_leaf(char **words)
{
    GlBytes     record = hex(words[2]);
    GlHash      leaf;

    gl_record_leaf(hex(words[0]).data, number(words[1]), record.data, record.length, &leaf);
    return is_hash(&leaf, words[3]);
}

static bool
v_record_root(char **words)
{
    GlBytes     bytes = hex(words[1]);
    uint8_t     secret[GL_SECRET_SIZE];
    GlMerkleEdge edge;
    GlReader    stream;
    GlBytes     record;
    GlHash      hash;

    gl_record_secret(hex(words[0]).data, secret);
    gl_merkle_init(&edge);
    gl_reader_init(&stream, bytes.data, bytes.length);
    while (gl_record_next(&stream, &record))
    {
        gl_record_leaf(secret, edge.size, record.data, record.length, &hash);
        gl_merkle_append(&edge, &hash);
    }
    gl_merkle_root(&edge, &hash);
    return gl_reader_done(&stream) && is_hash(&hash, words[2]);
}

static bool
v_record(char **words)
{
    GlBytes     bytes = hex(words[0]);
    GlBytes     body = hex(words[5]);
    GlRecord    record;
    GlBuffer    buffer;

    gl_buffer_init(&buffer, grow);
    gl_record_begin(&buffer, (GlRecordKind) words[1][0], number(words[2]), number(words[3]), number(words[4]));
    gl_buffer_append(&buffer, body.data, body.length);
    return buffer_is(&buffer, bytes) && gl_record_read(bytes, &record) && record.kind == words[1][0] &&
        record.table_id == number(words[2]) && record.relation_id == number(words[3]) &&
        record.command_id == number(words[4]) && gl_bytes_equal(record.body, body);
}

/* One list of fields against the words; returns the first word after it. */
static char **
match_fields(GlReader *reader, bool changes, char **words, bool *good)
{
    GlFieldReader fields;
    GlField     field;

    gl_fields_begin(&fields, reader, changes);
    while (gl_fields_next(&fields, &field))
    {
        if (words[0] == NULL || field.column_id != number(words[0]) || field.is_personal != (words[1][0] == '1') ||
            changes != (words[2][0] == '1') || field.is_null == (words[3][0] == '1') ||
            !gl_bytes_equal(field.value, hex(words[4])))
        {
            *good = false;
            return words;
        }
        words += 5;
    }
    return words;
}

static bool
v_fields(char **words)
{
    GlRecord    record;
    GlReader    reader;
    bool        good = true;

    if (!gl_record_read(hex(words[0]), &record) || !gl_record_check_body(&record))
        return false;
    words++;
    gl_reader_init(&reader, record.body.data, record.body.length);
    if (record.kind != GL_RECORD_TRUNCATE)
        words = match_fields(&reader, false, words, &good);
    if (record.kind == GL_RECORD_UPDATE)
        words = match_fields(&reader, true, words, &good);
    return good && gl_reader_done(&reader) && words[0] == NULL;
}

static bool
v_personal_leaf(char **words)
{
    GlSalt      salt = hex_salt(words[0]);
    GlBytes     value = hex(words[3]);
    bool        present = words[2][0] == '1';
    GlHash      leaf;

    gl_personal_leaf(&salt, (uint32_t) number(words[1]), present, present ? value.data : NULL,
                     present ? value.length : 1, &leaf);
    return is_hash(&leaf, words[4]);
}

static bool
v_personal(char **words)
{
    GlBytes     bytes = hex(words[0]);
    GlPersonalValue value;
    GlPersonalValue read;
    GlReader    reader;
    GlBuffer    buffer;

    value.column_id = number(words[1]);
    value.old = words[2][0] == '1';
    value.salt = hex_salt(words[3]);
    value.present = words[4][0] == '1';
    value.value = hex(words[5]);
    gl_buffer_init(&buffer, grow);
    gl_personal_write(&buffer, &value);
    gl_reader_init(&reader, bytes.data, bytes.length);
    return buffer_is(&buffer, bytes) && gl_personal_next(&reader, &read) && gl_reader_done(&reader) &&
        !gl_personal_next(&reader, &read) && !reader.failed &&
        read.column_id == value.column_id && read.old == value.old && read.present == value.present &&
        memcmp(read.salt.bytes, value.salt.bytes, GL_SALT_SIZE) == 0 && gl_bytes_equal(read.value, value.value);
}

static bool
v_context(char **words)
{
    GlBytes     bytes = hex(words[0]);
    GlReader    reader;
    GlBuffer    buffer;
    GlBytes     value;
    uint8_t     previous = 0;
    uint8_t     field;
    int         i;
    int         fields = 0;

    gl_buffer_init(&buffer, grow);
    for (i = GL_CONTEXT_SESSION_USER; i <= GL_CONTEXT_CLAIMED_REASON; i++)
    {
        value = hex(words[i]);
        gl_context_write(&buffer, (GlContextField) i, (const char *) value.data, value.length);
        fields += value.length > 0;
    }
    if (!buffer_is(&buffer, bytes))
        return false;
    gl_reader_init(&reader, bytes.data, bytes.length);
    for (; gl_context_next(&reader, &previous, &field, &value); fields--)
    {
        if (!gl_bytes_equal(value, hex(words[field])))
            return false;
    }
    return gl_reader_done(&reader) && fields == 0;
}

static bool
v_commitment(char **words)
{
    GlSalt      salt = hex_salt(words[0]);
    GlBytes     context = hex(words[1]);
    GlHash      commitment;

    gl_context_commitment(&salt, context.data, context.length, &commitment);
    return is_hash(&commitment, words[2]);
}

static bool
v_header(char **words)
{
    GlBytes     bytes = hex(words[0]);
    GlEntryHeader header;
    GlEntryHeader read;
    GlBuffer    buffer;
    GlHash      leaf;

    header.origin = hex(words[2]);
    header.generation = (uint32_t) number(words[3]);
    header.position = number(words[4]);
    header.transaction_id = number(words[5]);
    header.time = signed_number(words[6]);
    header.records = number(words[7]);
    header.record_root = hex_hash(words[8]);
    header.context_commitment = hex_hash(words[9]);
    header.actor_signature = hex(words[10]);
    gl_buffer_init(&buffer, grow);
    gl_entry_header_write(&buffer, &header);
    gl_merkle_leaf(bytes.data, bytes.length, &leaf);
    return buffer_is(&buffer, bytes) && is_hash(&leaf, words[1]) && gl_entry_header_read(bytes, &read) &&
        gl_bytes_equal(read.origin, header.origin) && read.generation == header.generation &&
        read.position == header.position && read.transaction_id == header.transaction_id &&
        read.time == header.time && read.records == header.records &&
        gl_hash_equal(&read.record_root, &header.record_root) &&
        gl_hash_equal(&read.context_commitment, &header.context_commitment) &&
        gl_bytes_equal(read.actor_signature, header.actor_signature);
}

static bool
v_seal(char **words)
{
    GlBytes     bytes = hex(words[0]);
    GlSeal      seal;
    GlSeal      read;
    GlBuffer    buffer;
    GlHash      leaf;

    memset(&seal, 0, sizeof(seal));
    seal.origin = hex(words[2]);
    seal.generation = (uint32_t) number(words[3]);
    seal.epoch = (uint32_t) number(words[4]);
    seal.height = number(words[5]);
    seal.previous_seal = hex_hash(words[6]);
    seal.tree_size = number(words[7]);
    seal.root = hex_hash(words[8]);
    seal.time = signed_number(words[9]);
    seal.system_identifier = number(words[10]);
    seal.timeline = (uint32_t) number(words[11]);
    seal.key_id = (uint32_t) number(words[12]);
    seal.has_state_root = strcmp(words[13], "-") != 0;
    if (seal.has_state_root)
        seal.state_root = hex_hash(words[13]);
    gl_buffer_init(&buffer, grow);
    gl_seal_write(&buffer, &seal);
    gl_merkle_leaf(bytes.data, bytes.length, &leaf);
    return buffer_is(&buffer, bytes) && is_hash(&leaf, words[1]) && gl_seal_read(bytes, &read) &&
        gl_bytes_equal(read.origin, seal.origin) && read.generation == seal.generation && read.epoch == seal.epoch &&
        read.height == seal.height && gl_hash_equal(&read.previous_seal, &seal.previous_seal) &&
        read.tree_size == seal.tree_size && gl_hash_equal(&read.root, &seal.root) && read.time == seal.time &&
        read.system_identifier == seal.system_identifier && read.timeline == seal.timeline &&
        read.key_id == seal.key_id && read.has_state_root == seal.has_state_root &&
        gl_hash_equal(&read.state_root, &seal.state_root);
}

/* The next of the items that `separator` divides, or NULL. */
static char *
next_item(char **rest, char separator)
{
    char       *item = *rest;
    char       *end;

    if (item == NULL)
        return NULL;
    end = strchr(item, separator);
    *rest = end == NULL ? NULL : end + 1;
    if (end != NULL)
        *end = '\0';
    return item;
}

static int
count_items(const char *word)
{
    int         count = 1;

    if (strcmp(word, "-") == 0)
        return 0;
    for (; *word; word++)
        count += *word == ',';
    return count;
}

/* Write the body that the words tell. */
static void
write_schema(GlBuffer *buffer, char **words)
{
    GlSchemaHead head;
    char       *items;
    int         left;

    head.operation = (uint8_t) words[1][0];
    head.schema_name = hex(words[2]);
    head.table_name = hex(words[3]);
    head.visibility = (uint8_t) number(words[4]);
    head.flags = (uint8_t) number(words[5]);
    gl_schema_write_head(buffer, &head);
    left = count_items(words[6]);
    gl_buffer_varint(buffer, (uint64_t) left);
    for (items = words[6]; left > 0; left--)
    {
        GlSchemaColumn column;
        char       *item = next_item(&items, ',');

        column.column_id = number(next_item(&item, ':'));
        column.name = hex(next_item(&item, ':'));
        column.type = hex(next_item(&item, ':'));
        column.flags = (uint8_t) number(next_item(&item, ':'));
        column.key_ordinal = number(next_item(&item, ':'));
        gl_schema_write_column(buffer, &column);
    }
    left = count_items(words[7]);
    gl_buffer_varint(buffer, (uint64_t) left);
    for (items = words[7]; left > 0; left--)
    {
        GlSchemaRelation relation;
        char       *item = next_item(&items, ',');

        relation.relation_id = number(next_item(&item, ':'));
        relation.schema_name = hex(next_item(&item, ':'));
        relation.name = hex(next_item(&item, ':'));
        gl_schema_write_relation(buffer, &relation);
    }
    gl_buffer_text(buffer, hex(words[8]).data, hex(words[8]).length);
}

/* Read a body and write it again: the same bytes. */
static bool
schema_round_trip(GlBytes bytes)
{
    GlSchemaHead head;
    GlSchemaColumn column;
    GlSchemaRelation relation;
    GlReader    reader;
    GlBuffer    buffer;
    GlBytes     reason;
    uint64_t    left;

    gl_buffer_init(&buffer, grow);
    gl_reader_init(&reader, bytes.data, bytes.length);
    gl_schema_read_head(&reader, &head);
    gl_schema_write_head(&buffer, &head);
    left = gl_read_varint(&reader);
    gl_buffer_varint(&buffer, left);
    for (; left > 0 && gl_schema_read_column(&reader, &column); left--)
        gl_schema_write_column(&buffer, &column);
    left = gl_read_varint(&reader);
    gl_buffer_varint(&buffer, left);
    for (; left > 0 && gl_schema_read_relation(&reader, &relation); left--)
        gl_schema_write_relation(&buffer, &relation);
    reason = gl_read_utf8(&reader);
    gl_buffer_text(&buffer, reason.data, reason.length);
    return buffer_is(&buffer, bytes) && gl_reader_done(&reader);
}

static bool
v_schema(char **words)
{
    GlBytes     bytes = hex(words[0]);
    GlBuffer    buffer;

    gl_buffer_init(&buffer, grow);
    write_schema(&buffer, words);
    return buffer_is(&buffer, bytes) && schema_round_trip(bytes);
}

static bool
v_key_change(char **words)
{
    GlBytes     bytes = hex(words[0]);
    GlBytes     statement = hex(words[2]);
    GlVerifierKey key;
    GlKeyChange change;
    GlReader    reader;
    GlBuffer    buffer;

    gl_reader_init(&reader, bytes.data, bytes.length);
    if (!gl_key_change_read(&reader, &change) || !gl_reader_done(&reader))
        return false;
    if (change.new_key_id != hex_id(words[3]) || !gl_bytes_equal(change.new_verifier_key, text_bytes(words[4])) ||
        change.old_key_id != hex_id(words[5]) || !gl_bytes_equal(change.old_signature, hex(words[7])) ||
        !gl_bytes_equal(change.new_signature, hex(words[8])) || !gl_bytes_equal(change.reason, hex(words[9])))
        return false;
    gl_buffer_init(&buffer, grow);
    gl_key_change_write(&buffer, &change);
    if (!buffer_is(&buffer, bytes))
        return false;
    gl_key_change_statement(&buffer, hex(words[1]), &change);
    if (!buffer_is(&buffer, statement))
        return false;
    key = verifier_key(words[4]);
    if (!gl_ed25519_verify(key.public_key, statement.data, statement.length, change.new_signature.data))
        return false;
    if (strcmp(words[6], "-") == 0)
        return change.old_signature.length == 0;
    key = verifier_key(words[6]);
    return key.key_id == change.old_key_id &&
        gl_ed25519_verify(key.public_key, statement.data, statement.length, change.old_signature.data);
}

static bool
v_erasure(char **words)
{
    GlBytes     bytes = hex(words[0]);
    GlErasure   erasure;
    GlReader    reader;
    GlBuffer    columns;
    GlBuffer    buffer;
    char       *items = words[4];
    int         left = count_items(words[4]);

    gl_buffer_init(&columns, grow);
    gl_buffer_varint(&columns, (uint64_t) left);
    for (; left > 0; left--)
        gl_buffer_varint(&columns, number(next_item(&items, ',')));
    gl_reader_init(&reader, bytes.data, bytes.length);
    if (!gl_erasure_read(&reader, &erasure) || !gl_reader_done(&reader) ||
        erasure.generation != number(words[1]) || erasure.transaction_id != number(words[2]) ||
        erasure.record != number(words[3]) || !gl_bytes_equal(erasure.legal_basis, hex(words[5])) ||
        !buffer_is(&columns, erasure.column_ids))
        return false;
    gl_buffer_init(&buffer, grow);
    gl_erasure_write(&buffer, &erasure);
    return buffer_is(&buffer, bytes);
}

static bool
v_adoption(char **words)
{
    GlBytes     bytes = hex(words[0]);
    GlAdoption  adoption;
    GlReader    reader;
    GlBuffer    buffer;

    gl_reader_init(&reader, bytes.data, bytes.length);
    if (!gl_adoption_read(&reader, &adoption) || !gl_reader_done(&reader) ||
        adoption.previous_generation != number(words[1]) || adoption.previous_system_identifier != number(words[2]) ||
        adoption.generation != number(words[3]) || adoption.system_identifier != number(words[4]) ||
        adoption.tree_size != number(words[5]) || !is_hash(&adoption.root, words[6]) ||
        !gl_bytes_equal(adoption.reason, hex(words[7])))
        return false;
    gl_buffer_init(&buffer, grow);
    gl_adoption_write(&buffer, &adoption);
    return buffer_is(&buffer, bytes);
}

static bool
v_succession(char **words)
{
    GlBytes     bytes = hex(words[0]);
    GlSuccession succession;
    GlReader    reader;
    GlBuffer    buffer;

    gl_reader_init(&reader, bytes.data, bytes.length);
    if (!gl_succession_read(&reader, &succession) || !gl_reader_done(&reader) ||
        !gl_bytes_equal(succession.origin, hex(words[1])) ||
        succession.previous_generation != number(words[2]) || succession.previous_system_identifier != number(words[3]) ||
        succession.generation != number(words[4]) || succession.system_identifier != number(words[5]) ||
        succession.tree_size != number(words[6]) || !is_hash(&succession.root, words[7]) ||
        succession.lost_from != number(words[8]) || succession.known_size != number(words[9]) ||
        !is_hash(&succession.known_root, words[10]) || !gl_bytes_equal(succession.reason, hex(words[11])))
        return false;
    gl_buffer_init(&buffer, grow);
    gl_succession_write(&buffer, &succession);
    return buffer_is(&buffer, bytes);
}

/* --- is it a well-formed object of that kind? --- */

static bool
accepts(const char *kind, GlBytes bytes)
{
    GlReader    reader;
    GlRecord    record;
    GlEntryHeader header;
    GlSeal      seal;
    GlVerifierKey key;
    GlCheckpoint checkpoint;
    GlPersonalValue value;
    GlBytes     item;
    uint8_t     previous = 0;
    uint8_t     field;

    gl_reader_init(&reader, bytes.data, bytes.length);
    if (strcmp(kind, "record") == 0)
        return gl_record_read(bytes, &record) && gl_record_check_body(&record);
    if (strcmp(kind, "header") == 0)
        return gl_entry_header_read(bytes, &header);
    if (strcmp(kind, "seal") == 0)
        return gl_seal_read(bytes, &seal);
    if (strcmp(kind, "vkey") == 0)
        return gl_verifier_key_read(bytes, &key);
    if (strcmp(kind, "checkpoint") == 0)
        return gl_checkpoint_read(bytes, &checkpoint);
    if (strcmp(kind, "stream") == 0)
    {
        while (gl_record_next(&reader, &item))
            ;
    }
    else if (strcmp(kind, "personal") == 0)
    {
        while (gl_personal_next(&reader, &value))
            ;
    }
    else if (strcmp(kind, "context") == 0)
    {
        while (gl_context_next(&reader, &previous, &field, &item))
            ;
    }
    else
        die("unknown kind of object in a vector");
    return gl_reader_done(&reader);
}

/* Accepted objects, as many as fit, are kept as hex to be damaged later. */
static char *object_kinds[MAX_OBJECTS];
static char *object_words[MAX_OBJECTS];
static int  object_count = 0;

static bool
v_accept(char **words)
{
    if (object_count < MAX_OBJECTS)
    {
        object_kinds[object_count] = words[0];
        object_words[object_count++] = words[1];
    }
    return accepts(words[0], hex(words[1]));
}

static bool
v_refuse(char **words)
{
    return !accepts(words[0], hex(words[1]));
}

/* --- running the vectors --- */

typedef struct Vector
{
    const char *name;
    int         words;          /* at least */
    bool        (*run) (char **words);
    int         count;
    int         failed;
} Vector;

static Vector vectors[] = {
    {"leaf", 2, v_leaf, 0, 0},
    {"node", 3, v_node, 0, 0},
    {"tree-leaf", 1, v_tree_leaf, 0, 0},
    {"root", 2, v_root, 0, 0},
    {"numbered-root", 2, v_numbered_root, 0, 0},
    {"inclusion", 3, v_inclusion, 0, 0},
    {"consistency", 3, v_consistency, 0, 0},
    {"base64", 2, v_base64, 0, 0},
    {"vkey", 5, v_vkey, 0, 0},
    {"key-id", 4, v_key_id, 0, 0},
    {"body", 4, v_body, 0, 0},
    {"signature-line", 4, v_signature_line, 0, 0},
    {"note", 3, v_note, 0, 0},
    {"checkpoint-file", 3, v_checkpoint_file, 0, 0},
    {"tile-path", 4, v_tile_path, 0, 0},
    {"tile-width", 3, v_tile_width, 0, 0},
    {"varint", 2, v_varint, 0, 0},
    {"salt", 4, v_salt, 0, 0},
    {"secrets", 3, v_secrets, 0, 0},
    {"record-leaf", 4, v_record_leaf, 0, 0},
    {"record-root", 3, v_record_root, 0, 0},
    {"record", 6, v_record, 0, 0},
    {"fields", 1, v_fields, 0, 0},
    {"personal-leaf", 5, v_personal_leaf, 0, 0},
    {"personal", 6, v_personal, 0, 0},
    {"context", 8, v_context, 0, 0},
    {"commitment", 3, v_commitment, 0, 0},
    {"header", 11, v_header, 0, 0},
    {"seal", 14, v_seal, 0, 0},
    {"schema", 9, v_schema, 0, 0},
    {"key-change", 10, v_key_change, 0, 0},
    {"erasure", 6, v_erasure, 0, 0},
    {"adoption", 8, v_adoption, 0, 0},
    {"succession", 12, v_succession, 0, 0},
    {"accept", 2, v_accept, 0, 0},
    {"refuse", 2, v_refuse, 0, 0},
};

#define VECTOR_COUNT ((int) (sizeof(vectors) / sizeof(vectors[0])))

static void
run_line(const char *file, int line_number, char *line)
{
    char       *words[MAX_WORDS + 1] = {NULL};
    char       *rest = NULL;
    int         count = 0;
    int         i;

    for (words[0] = strtok_r(line, " ", &rest); words[count] != NULL; words[count] = strtok_r(NULL, " ", &rest))
    {
        if (++count == MAX_WORDS)
            die("too many words in a vector");
    }
    if (count == 0 || words[0][0] == '#')
        return;
    for (i = 0; i < VECTOR_COUNT && strcmp(vectors[i].name, words[0]) != 0; i++)
        ;
    if (i == VECTOR_COUNT || count - 1 < vectors[i].words)
        die(words[0]);
    vectors[i].count++;
    if (!vectors[i].run(words + 1))
    {
        vectors[i].failed++;
        printf("# %s line %d fails\n", file, line_number);
    }
    forget_all();
}

/* Returns the content, which the objects to damage point into; the caller frees it. */
static char *
run_file(const char *file)
{
    GlBytes     content = read_file(file);
    char       *text = grow(NULL, content.length + 1);
    char       *line;
    char       *rest = text;
    int         line_number = 0;

    memcpy(text, content.data, content.length);
    text[content.length] = '\0';
    forget_all();
    while ((line = next_item(&rest, '\n')) != NULL)
        run_line(file, ++line_number, line);
    return text;
}

static void
report_vectors(void)
{
    int         i;

    for (i = 0; i < VECTOR_COUNT; i++)
        ok(vectors[i].count > 0 && vectors[i].failed == 0, "vectors of %s: %d", vectors[i].name, vectors[i].count);
}

/* --- damage --- */

/* Whether the object says itself where it ends, so that no part of it may be an object. */
static bool
is_closed(const char *kind)
{
    return strcmp(kind, "stream") != 0 && strcmp(kind, "personal") != 0 && strcmp(kind, "context") != 0 &&
        strcmp(kind, "checkpoint") != 0;
}

static bool
accepts_copy(const char *kind, const uint8_t *data, size_t length)
{
    uint8_t    *copy = malloc(length > 0 ? length : 1);
    GlBytes     bytes = {copy, length};
    bool        accepted;

    if (copy == NULL)
        die("out of memory");
    if (length > 0)
        memcpy(copy, data, length);
    accepted = accepts(kind, bytes);
    free(copy);
    return accepted;
}

/*
 * The generation and transaction of an erasure record: these twelve bytes have no varint, and a
 * byte added there may shift into another well-formed erasure.
 */
static bool
in_erasure_numbers(GlBytes object, size_t at)
{
    return object.data[0] == GL_RECORD_ERASURE && at >= 4 && at < 16;
}

/* Cut at every byte, one byte more, and an overlong varint in every place. */
static void
damage_objects(void)
{
    int         truncated = 0;
    int         trailing = 0;
    int         overlong = 0;
    int         i;

    for (i = 0; i < object_count; i++)
    {
        GlBytes     object = hex(object_words[i]);
        uint8_t    *longer = keep(calloc(object.length + 1, 1));
        bool        closed = is_closed(object_kinds[i]);
        size_t      at;

        for (at = 0; at < object.length; at++)
        {
            if (accepts_copy(object_kinds[i], object.data, at) && closed)
                truncated++;
        }
        memcpy(longer, object.data, object.length);
        if (accepts_copy(object_kinds[i], longer, object.length + 1))
            trailing++;
        for (at = 0; at < object.length; at++)
        {
            if (object.data[at] & 0x80 || in_erasure_numbers(object, at))
                continue;
            memcpy(longer, object.data, at);
            longer[at] = object.data[at] | 0x80;
            longer[at + 1] = 0;
            memcpy(longer + at + 2, object.data + at + 1, object.length - at - 1);
            if (accepts_copy(object_kinds[i], longer, object.length + 1))
                overlong++;
        }
        forget_all();
    }
    ok(object_count > 0 && truncated == 0, "no object is accepted when cut at any byte");
    ok(trailing == 0, "no object is accepted with a byte more");
    ok(overlong == 0, "no object is accepted with a longer varint, tried at every byte");
}

static uint64_t random_state = UINT64_C(0x9E3779B97F4A7C15);

static uint64_t
random_number(uint64_t limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % limit;
}

static void
random_damage(int rounds)
{
    static const uint8_t special[] = {0, 1, 0x7F, 0x80, 0xFF, '\n', ' ', '+'};
    int         round;
    int         accepted = 0;

    for (round = 0; round < rounds; round++)
    {
        int         which = (int) random_number((uint64_t) object_count);
        GlBytes     object = hex(object_words[which]);
        uint8_t    *copy = keep(malloc(object.length + 1));
        int         changes = 1 + (int) random_number(4);

        memcpy(copy, object.data, object.length);
        for (; changes > 0 && object.length > 0; changes--)
        {
            uint8_t    *byte = &copy[random_number(object.length)];

            *byte = random_number(2) ? special[random_number(sizeof(special))] : (uint8_t) random_number(256);
        }
        accepted += accepts_copy(object_kinds[which], copy, object.length);
        /* every parser meets every object */
        (void) accepts_copy(object_kinds[random_number((uint64_t) object_count)], copy, object.length);
        forget_all();
    }
    ok(accepted < rounds, "%d damaged objects do no harm", rounds);
}

/* --- notes --- */

static void
flip_golden(void)
{
    GlVerifierKey log = verifier_key(LOG_KEY);
    GlVerifierKey witness = verifier_key(WITNESS_KEY);
    GlBytes     golden = read_file("golden.checkpoint");
    uint8_t    *copy = keep(malloc(golden.length));
    GlBytes     note = {copy, golden.length};
    GlCheckpoint checkpoint;
    int         both = 0;
    int         unnoticed = 0;
    size_t      at;
    int         bit;

    for (at = 0; at < golden.length; at++)
    {
        for (bit = 0; bit < 8; bit++)
        {
            memcpy(copy, golden.data, golden.length);
            copy[at] ^= (uint8_t) (1 << bit);
            if (!gl_checkpoint_read(note, &checkpoint))
                continue;
            if (gl_checkpoint_verify(&checkpoint, &log, NULL) != GL_NOTE_VALID)
                continue;
            if (gl_checkpoint_verify(&checkpoint, &witness, NULL) == GL_NOTE_VALID)
                both++;
            /* the log's signature still holds: then the change is in the witness's line */
            if (at < checkpoint.body.length || memchr(golden.data + at, '\n', golden.length - at) !=
                golden.data + golden.length - 1)
                unnoticed++;
        }
    }
    forget_all();
    ok(both == 0, "no changed bit of the golden checkpoint passes log and witness");
    ok(unnoticed == 0, "a changed bit of the body or of the log's line does not pass the log's key");
}

static void
sign(const uint8_t seed[32], GlBytes message, uint8_t signature[GL_ED25519_SIGNATURE_SIZE])
{
    EVP_PKEY   *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, 32);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    size_t      length = GL_ED25519_SIGNATURE_SIZE;

    if (EVP_DigestSignInit(context, NULL, NULL, NULL, key) != 1 ||
        EVP_DigestSign(context, signature, &length, message.data, message.length) != 1)
        die("cannot sign");
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
}

static GlVerifierKey
test_key(uint8_t type, const char *name, const uint8_t seed[32])
{
    EVP_PKEY   *pair = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, 32);
    size_t      length = GL_ED25519_PUBLIC_SIZE;
    GlVerifierKey key;

    key.name = text_bytes(name);
    key.type = type;
    if (EVP_PKEY_get_raw_public_key(pair, key.public_key, &length) != 1)
        die("cannot make a key");
    EVP_PKEY_free(pair);
    key.key_id = gl_key_id(key.name, type, key.public_key, GL_ED25519_PUBLIC_SIZE);
    return key;
}

/* body, blank line, and up to three lines with these payloads */
static GlNoteVerdict
verdict(const GlVerifierKey *key, GlBytes body, GlBytes first, GlBytes second, uint64_t *time)
{
    GlBuffer    buffer;
    GlCheckpoint checkpoint;
    GlBytes     note;

    gl_buffer_init(&buffer, grow);
    gl_buffer_append(&buffer, body.data, body.length);
    gl_buffer_u8(&buffer, '\n');
    /* same name or same id only: not this key */
    gl_note_signature_line(&buffer, key->name, key->key_id + 1, (const uint8_t *) "x", 1);
    gl_note_signature_line(&buffer, text_bytes("other"), key->key_id, (const uint8_t *) "x", 1);
    if (first.length > 0)
        gl_note_signature_line(&buffer, key->name, key->key_id, first.data, first.length);
    if (second.length > 0)
        gl_note_signature_line(&buffer, key->name, key->key_id, second.data, second.length);
    note = take(&buffer);
    if (!gl_checkpoint_read(note, &checkpoint))
        die("cannot read a note of our own");
    return gl_checkpoint_verify(&checkpoint, key, time);
}

static void
log_signatures(void)
{
    static const uint8_t seed[32] = {1, 2, 3};
    GlVerifierKey key = test_key(GL_KEY_TYPE_ED25519, "log.example", seed);
    GlVerifierKey foreign = test_key(GL_KEY_TYPE_ED25519, "elsewhere.example", seed);
    GlVerifierKey unknown = test_key(2, "log.example", seed);
    uint8_t     signature[GL_ED25519_SIGNATURE_SIZE + 1] = {0};
    uint8_t     wrong[GL_ED25519_SIGNATURE_SIZE];
    GlBytes     none = {NULL, 0};
    GlBytes     good = {signature, GL_ED25519_SIGNATURE_SIZE};
    GlBytes     bad = {wrong, GL_ED25519_SIGNATURE_SIZE};
    GlBytes     shorter = {signature, GL_ED25519_SIGNATURE_SIZE - 1};
    GlBytes     longer = {signature, GL_ED25519_SIGNATURE_SIZE + 1};
    GlHash      root = {{7}};
    GlBuffer    buffer;
    GlBytes     body;

    gl_buffer_init(&buffer, grow);
    gl_checkpoint_body(&buffer, key.name, 5, &root);
    body = take(&buffer);
    sign(seed, body, signature);
    memcpy(wrong, signature, sizeof(wrong));
    wrong[0] ^= 1;
    ok(verdict(&key, body, good, none, NULL) == GL_NOTE_VALID, "log signature is valid");
    ok(verdict(&key, body, none, none, NULL) == GL_NOTE_UNSIGNED, "other name or other id is unsigned");
    ok(verdict(&key, body, bad, none, NULL) == GL_NOTE_INVALID, "bad signature of a known key is invalid");
    ok(verdict(&key, body, bad, good, NULL) == GL_NOTE_INVALID, "a good duplicate does not mend a bad signature");
    ok(verdict(&key, body, good, bad, NULL) == GL_NOTE_VALID, "a bad duplicate is ignored");
    ok(verdict(&key, body, shorter, none, NULL) == GL_NOTE_INVALID, "short signature is invalid");
    ok(verdict(&key, body, longer, none, NULL) == GL_NOTE_INVALID, "long signature is invalid");
    ok(verdict(&foreign, body, good, none, NULL) == GL_NOTE_UNSIGNED, "the key of another origin does not count");
    ok(verdict(&unknown, body, good, none, NULL) == GL_NOTE_INVALID, "a key of unknown type signs nothing");
    forget_all();
}

static GlBytes
cosignature(const uint8_t seed[32], uint64_t time, GlBytes body)
{
    GlBuffer    message;
    GlBuffer    payload;
    char        head[64];
    uint8_t     signature[GL_ED25519_SIGNATURE_SIZE];

    snprintf(head, sizeof(head), "cosignature/v1\ntime %" PRIu64 "\n", time);
    gl_buffer_init(&message, grow);
    gl_buffer_append(&message, head, strlen(head));
    gl_buffer_append(&message, body.data, body.length);
    sign(seed, take(&message), signature);
    gl_buffer_init(&payload, grow);
    gl_buffer_u64(&payload, time);
    gl_buffer_append(&payload, signature, sizeof(signature));
    return take(&payload);
}

static void
cosignatures(void)
{
    static const uint8_t seed[32] = {4, 5, 6};
    GlVerifierKey key = test_key(GL_KEY_TYPE_COSIGNATURE, "witness.example", seed);
    GlBytes     none = {NULL, 0};
    GlBytes     line_of_nothing = text_bytes("x\n");
    GlBytes     unfinished = text_bytes("\xE2\x80\x94 a AAAAAAA=\n\xE2\x80\x94 a");
    GlHash      root = {{7}};
    GlBuffer    buffer;
    GlCheckpoint checkpoint;
    GlBytes     body;
    GlBytes     payload;
    GlBytes     shorter;
    char        origin[GL_ORIGIN_MAX_SIZE + 1];
    uint64_t    time = 99;

    memset(origin, 'o', GL_ORIGIN_MAX_SIZE);
    origin[GL_ORIGIN_MAX_SIZE] = '\0';
    gl_buffer_init(&buffer, grow);
    gl_checkpoint_body(&buffer, text_bytes(origin), INT64_MAX, &root);
    body = take(&buffer);
    ok(verdict(&key, body, cosignature(seed, INT64_MAX, body), none, &time) == GL_NOTE_VALID && time == INT64_MAX,
       "cosignature of the longest checkpoint at the last time is valid");
    time = 99;
    ok(verdict(&key, body, cosignature(seed, (uint64_t) INT64_MAX + 1, body), none, &time) == GL_NOTE_INVALID &&
       time == 99, "a time of 2^63 is invalid");
    payload = cosignature(seed, 1700000000, body);
    shorter = payload;
    shorter.length--;
    ok(verdict(&key, body, shorter, none, NULL) == GL_NOTE_INVALID, "short cosignature is invalid");
    gl_buffer_init(&buffer, grow);
    gl_buffer_append(&buffer, payload.data, payload.length);
    gl_buffer_u8(&buffer, 0);
    ok(verdict(&key, body, take(&buffer), none, NULL) == GL_NOTE_INVALID, "long cosignature is invalid");
    ((uint8_t *) payload.data)[7] ^= 1;
    ok(verdict(&key, body, payload, none, NULL) == GL_NOTE_INVALID, "cosignature at another time is invalid");

    /* what gl_checkpoint_read would never let through */
    gl_buffer_init(&buffer, grow);
    gl_buffer_append(&buffer, origin, GL_ORIGIN_MAX_SIZE);
    gl_buffer_append(&buffer, body.data, body.length);
    checkpoint.body = take(&buffer);
    gl_note_signature_line(&buffer, key.name, key.key_id, cosignature(seed, 1, checkpoint.body).data, 72);
    checkpoint.signatures = take(&buffer);
    checkpoint.origin = text_bytes("o");
    ok(gl_checkpoint_verify(&checkpoint, &key, NULL) == GL_NOTE_INVALID, "a body too long to cosign is invalid");
    checkpoint.signatures = line_of_nothing;
    ok(gl_checkpoint_verify(&checkpoint, &key, NULL) == GL_NOTE_INVALID, "a malformed line is invalid");
    checkpoint.signatures = unfinished;
    ok(gl_checkpoint_verify(&checkpoint, &key, NULL) == GL_NOTE_INVALID, "a line without end is invalid");
    checkpoint.signatures = none;
    ok(gl_checkpoint_verify(&checkpoint, &key, NULL) == GL_NOTE_UNSIGNED, "no lines: unsigned");
    forget_all();
}

static void
openssl_errors(void)
{
    GlVerifierKey key = verifier_key(LOG_KEY);
    uint8_t     signature[GL_ED25519_SIGNATURE_SIZE] = {0};
    unsigned long raised;

    ERR_clear_error();
    ok(!gl_ed25519_verify(key.public_key, "a", 1, signature) && ERR_peek_error() == 0,
       "a bad signature leaves no OpenSSL error");
    /* no provider has this property, so that OpenSSL finds no Ed25519 */
    if (EVP_set_default_properties(NULL, "provider=none") != 1)
        die("cannot switch Ed25519 off");
    ok(!gl_ed25519_verify(key.public_key, "a", 1, signature) && ERR_peek_error() == 0,
       "when OpenSSL fails, its errors are not left behind");
    ERR_raise(ERR_LIB_USER, 42);
    raised = ERR_peek_error();
    ok(!gl_ed25519_verify(key.public_key, "a", 1, signature) && ERR_get_error() == raised && ERR_get_error() == 0,
       "an OpenSSL error of the caller stays");
    EVP_set_default_properties(NULL, "");
}

static void
note_limits(void)
{
    static const char head[] = "a\n1\nXcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=\n\n";
    static const char line[] = "\xE2\x80\x94 a AAAAAAA=\n";
    GlCheckpoint checkpoint;
    GlBuffer    buffer;
    GlBytes     note;
    size_t      padding;

    gl_buffer_init(&buffer, grow);
    gl_buffer_append(&buffer, head, strlen(head));
    while (buffer.length + 2 * strlen(line) <= GL_NOTE_MAX_SIZE)
        gl_buffer_append(&buffer, line, strlen(line));
    /* fill up with a name of the right length */
    padding = GL_NOTE_MAX_SIZE - buffer.length - strlen(line);
    gl_buffer_append(&buffer, line, 5);
    for (; padding > 0; padding--)
        gl_buffer_u8(&buffer, 'b');
    gl_buffer_append(&buffer, line + 5, strlen(line + 5));
    note = take(&buffer);
    ok(note.length == GL_NOTE_MAX_SIZE && gl_checkpoint_read(note, &checkpoint), "a note of the largest size is read");
    gl_buffer_append(&buffer, note.data, note.length - strlen(line + 5));
    gl_buffer_u8(&buffer, 'b');
    gl_buffer_append(&buffer, line + 5, strlen(line + 5));
    note = take(&buffer);
    ok(note.length == GL_NOTE_MAX_SIZE + 1 && !gl_checkpoint_read(note, &checkpoint), "a larger one is not");
    forget_all();
}

static void
bad_base64(void)
{
    static const char *const texts[] = {
        "Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "Z===", "====", "=", "Z=g=", "Zg==Zg==", "Zm9v\n", " Zm9", "Zm-_",
        "Zm9vZ", "Zm\xC4\x8D"
    };
    GlBuffer    buffer;
    size_t      i;
    bool        good = true;

    gl_buffer_init(&buffer, grow);
    gl_buffer_u8(&buffer, 'x');
    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
    {
        if (gl_base64_decode(&buffer, texts[i], strlen(texts[i])) || buffer.length != 1)
        {
            printf("# base64 accepted: %s\n", texts[i]);
            good = false;
        }
    }
    ok(good, "base64 is strict");
    free(buffer.data);
}

/* --- tree and tiles --- */

static void
all_proofs(void)
{
    GlHash      leaves[MAX_LEAVES];
    GlHash      roots[MAX_LEAVES + 1];
    GlMerkleEdge edge;
    LeafArray   array = {leaves, 0, -1};
    GlHash      path[66];
    int         bad_inclusion = 0;
    int         bad_consistency = 0;
    uint64_t    size;
    uint64_t    i;

    gl_merkle_init(&edge);
    for (size = 1; size <= MAX_LEAVES; size++)
    {
        gl_sha256(&size, sizeof(size), &leaves[size - 1]);
        gl_merkle_append(&edge, &leaves[size - 1]);
        gl_merkle_root(&edge, &roots[size]);
        array.size = size;
        for (i = 0; i < size; i++)
        {
            int         count = gl_merkle_prove_inclusion(i, size, node_of_leaves, &array, path);

            if (count < 0 || !inclusion_is_tight(i, size, &leaves[i], path, count, &roots[size]))
                bad_inclusion++;
            count = gl_merkle_prove_consistency(i + 1, size, node_of_leaves, &array, path);
            if (count < 0 || !consistency_is_tight(i + 1, size, path, count, &roots[i + 1], &roots[size]))
                bad_consistency++;
        }
    }
    ok(bad_inclusion == 0, "every inclusion proof up to %d leaves holds, and no change of it", MAX_LEAVES);
    ok(bad_consistency == 0, "every consistency proof up to %d leaves holds, and no change of it", MAX_LEAVES);
}

/* Roots made to fit proofs of a wrong length: only the length can give them away. */
static void
forged_roots(void)
{
    GlHash      leaf = {{1}};
    GlHash      other = {{2}};
    GlHash      pair;
    GlHash      four;
    GlHash      path[2];
    GlHash     *nothing = keep(malloc(1));

    path[0] = other;
    path[1] = other;
    gl_merkle_node(&other, &leaf, &pair);
    ok(!gl_merkle_verify_inclusion(0, 1, &leaf, path, 1, &pair), "a path that goes beyond the root");
    gl_merkle_node(&leaf, &other, &pair);
    ok(!gl_merkle_verify_inclusion(0, 4, &leaf, path, 1, &pair), "a path that ends below the root");
    ok(!gl_merkle_verify_consistency(1, 4, path, 1, &leaf, &pair), "a consistency proof that ends below the root");
    gl_merkle_node(&other, &pair, &four);
    ok(!gl_merkle_verify_consistency(1, 2, path, 2, &leaf, &four), "a consistency proof that goes beyond the root");
    ok(!gl_merkle_verify_consistency(0, 0, nothing, 0, &leaf, &leaf), "the empty tree proves nothing, not even itself");
    ok(!gl_merkle_verify_consistency(3, 7, nothing, 0, &leaf, &pair) &&
       !gl_merkle_verify_consistency(3, 7, nothing, -1, &leaf, &pair) &&
       !gl_merkle_verify_inclusion(3, 7, &leaf, nothing, -1, &pair), "an empty proof is not read");
    forget_all();
}

static void
proofs_refused(void)
{
    GlHash      leaves[MAX_LEAVES] = {{{0}}};
    LeafArray   array = {leaves, 100, -1};
    GlHash      path[66];
    GlHash      root;
    int         calls;
    bool        good = true;

    ok(gl_merkle_prove_inclusion(100, 100, node_of_leaves, &array, path) == -1 &&
       gl_merkle_prove_inclusion(0, 0, node_of_leaves, &array, path) == -1 &&
       gl_merkle_prove_consistency(0, 100, node_of_leaves, &array, path) == -1 &&
       gl_merkle_prove_consistency(101, 100, node_of_leaves, &array, path) == -1,
       "no proof outside the tree");
    /* 100 is three perfect trees; the proofs need seven nodes each, down to what is left of the old tree */
    for (calls = 0; calls < 7; calls++)
    {
        array.fail_after = calls;
        good = good && gl_merkle_prove_inclusion(70, 100, node_of_leaves, &array, path) == -1;
        array.fail_after = calls;
        good = good && gl_merkle_prove_consistency(70, 100, node_of_leaves, &array, path) == -1;
        array.fail_after = calls;
        good = good && gl_merkle_prefix_root(100, node_of_leaves, &array, &root) == (calls >= 3);
    }
    ok(good, "a node that cannot be had makes the proof fail");
    forged_roots();
    ok(!gl_merkle_verify_inclusion(0, UINT64_MAX, &leaves[0], path, 0, &leaves[0]) &&
       !gl_merkle_verify_consistency(1, UINT64_MAX, path, 0, &leaves[0], &leaves[0]), "largest sizes do no harm");
}

static void
tiles(void)
{
    GlMerkleEdge edge;
    GlHash      hashes[GL_TILE_WIDTH];
    GlHash      root;
    GlHash      node;
    LeafArray   array = {hashes, GL_TILE_WIDTH, -1};
    const uint8_t *bytes = (const uint8_t *) hashes;
    bool        good = true;
    int         level;
    int         i;

    gl_merkle_init(&edge);
    for (i = 0; i < GL_TILE_WIDTH; i++)
    {
        gl_sha256(&i, sizeof(i), &hashes[i]);
        gl_merkle_append(&edge, &hashes[i]);
    }
    gl_merkle_root(&edge, &root);
    gl_tile_root(bytes, &node);
    ok(gl_hash_equal(&root, &node), "root of a tile");
    for (level = 0; level <= GL_TILE_HEIGHT; level++)
    {
        for (i = 0; i < GL_TILE_WIDTH >> level; i++)
        {
            node_of_leaves(&array, level, (uint64_t) i, &root);
            good = good && gl_tile_subtree(bytes, GL_TILE_WIDTH, level, i, &node) && gl_hash_equal(&root, &node);
        }
        good = good && !gl_tile_subtree(bytes, GL_TILE_WIDTH, level, i, &node);
    }
    ok(good, "every subtree of a tile, and none beyond it");
    ok(gl_tile_subtree(bytes, 6, 1, 2, &node) && !gl_tile_subtree(bytes, 6, 1, 3, &node) &&
       !gl_tile_subtree(bytes, 6, 2, 1, &node) && !gl_tile_subtree(bytes, 0, 0, 0, &node) &&
       !gl_tile_subtree(bytes, 256, 40, 0, &node) && !gl_tile_subtree(bytes, 257, 0, 256, &node) &&
       !gl_tile_subtree(bytes, 256, 0, -1, &node) && !gl_tile_subtree(bytes, 256, -1, 0, &node) &&
       !gl_tile_subtree(bytes, -1, 0, 0, &node), "subtrees of a partial tile");
    ok(gl_tile_partial_width(UINT64_MAX, 7) == 255 && gl_tile_partial_width(UINT64_MAX, 8) == 0 &&
       gl_tile_partial_width(UINT64_MAX, -1) == 0, "no tile above the highest level");
}

/* --- buffer and reader --- */

static jmp_buf thrown;
static size_t asked;

static void *
grow_or_throw(void *old, size_t size)
{
    asked = size;
    if (size > 1 << 20)
        longjmp(thrown, 1);
    return grow(old, size);
}

static void
buffers(void)
{
    static GlBuffer buffer;     /* static, so that it keeps its value over longjmp */
    GlReader    reader;
    GlBytes     bytes;

    gl_buffer_init(&buffer, grow_or_throw);
    if (setjmp(thrown) == 0)
    {
        gl_buffer_u8(&buffer, 1);
        gl_buffer_reserve(&buffer, SIZE_MAX - 1);
        ok(false, "a reservation that cannot be had");
    }
    ok(asked >= SIZE_MAX - 1 && buffer.length == 1, "the owner hears of a size that cannot be had");
    if (setjmp(thrown) == 0)
    {
        gl_buffer_reserve(&buffer, SIZE_MAX);
        ok(false, "a reservation that cannot be expressed");
    }
    ok(asked == SIZE_MAX && buffer.length == 1, "the owner hears of a size that cannot be expressed");
    gl_buffer_u16(&buffer, 0x0203);
    gl_buffer_u32(&buffer, 0x04050607);
    gl_buffer_u64(&buffer, UINT64_C(0x08090A0B0C0D0E0F));
    gl_buffer_text(&buffer, "ab", 2);
    gl_buffer_append(&buffer, NULL, 0);
    bytes = take(&buffer);
    gl_reader_init(&reader, bytes.data, bytes.length);
    ok(bytes.length == 18 && gl_read_u8(&reader) == 1 && gl_read_u16(&reader) == 0x0203 &&
       gl_read_u32(&reader) == 0x04050607 && gl_read_u64(&reader) == UINT64_C(0x08090A0B0C0D0E0F) &&
       gl_bytes_equal(gl_read_text(&reader), text_bytes("ab")) && gl_reader_done(&reader),
       "numbers and texts are read as written");
    ok(gl_read_u8(&reader) == 0 && reader.failed && gl_read_u64(&reader) == 0 && gl_read_varint(&reader) == 0 &&
       gl_read_text(&reader).data == NULL && !gl_reader_done(&reader), "after a failure every read gives zero");
    gl_reader_init(&reader, NULL, 0);
    ok(gl_reader_done(&reader) && gl_read_bytes(&reader, 0).length == 0 && gl_reader_done(&reader),
       "nothing can be read as nothing");
    ok(gl_read_bytes(&reader, UINT64_MAX).data == NULL && reader.failed, "no length is too large to be refused");
    ok(gl_utf8_valid(NULL, 0) && !gl_bytes_equal(text_bytes("a"), text_bytes("b")) &&
       !gl_bytes_equal(text_bytes("a"), text_bytes("aa")), "bytes are compared");
    forget_all();
}

/* Records hashed together have the leaves that they have one by one, whatever their lengths, and so have trees. */
static void
hashed_together(void)
{
    static uint8_t bytes[4096];
    static const size_t lengths[] = {0, 1, 34, 35, 98, 99, 121, 500, 930, 938, 939, 940, 960, 1023, 4000};
    uint8_t     secret[GL_SECRET_SIZE] = {3};
    GlBytes     records[100];
    GlHash      together[100];
    GlHash      alone;
    GlMerkleEdge one;
    GlMerkleEdge many;
    bool        leaves_agree = true;
    bool        trees_agree = true;
    size_t      count;
    size_t      i;

    for (i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t) (i * 31 >> 3);
    gl_merkle_init(&one);
    gl_merkle_init(&many);
    for (count = 0; count <= 100; count++)
    {
        for (i = 0; i < count; i++)
        {
            records[i].length = lengths[(i * 7 + count) % (sizeof(lengths) / sizeof(lengths[0]))];
            records[i].data = bytes + (i * count) % (sizeof(bytes) - records[i].length + 1);
        }
        gl_record_leaves(secret, count, records, count, together);
        for (i = 0; i < count; i++)
        {
            gl_record_leaf(secret, count + i, records[i].data, records[i].length, &alone);
            leaves_agree = leaves_agree && gl_hash_equal(&alone, &together[i]);
            gl_merkle_append(&one, &alone);
        }
        gl_merkle_append_leaves(&many, together, count);
        trees_agree = trees_agree && one.size == many.size && one.count == many.count &&
            memcmp(one.nodes, many.nodes, (size_t) one.count * sizeof(GlHash)) == 0;
    }
    ok(leaves_agree, "leaves of records hashed together");
    ok(trees_agree, "trees of leaves appended together");
}

static void
origins(void)
{
    char        longest[GL_ORIGIN_MAX_SIZE + 1];
    GlRecord    record = {'Z', 0, 0, 0, {NULL, 0}};

    memset(longest, 'a', sizeof(longest));
    ok(gl_origin_valid("!~", 2) && gl_origin_valid(longest, GL_ORIGIN_MAX_SIZE) && !gl_origin_valid("", 0) &&
       !gl_origin_valid(longest, sizeof(longest)) && !gl_origin_valid("a+", 2) && !gl_origin_valid("a b", 3) &&
       !gl_origin_valid("a\x7F", 2) && !gl_origin_valid("\xC4\x8D", 2), "origins");
    ok(!gl_record_check_body(&record), "the body of an unknown record");
}

int
main(int argc, char **argv)
{
    char       *texts[3];
    int         i;

    if (argc > 1)
        vector_directory = argv[1];
    texts[0] = run_file("merkle.txt");
    texts[1] = run_file("note.txt");
    texts[2] = run_file("govledger.txt");
    report_vectors();
    damage_objects();
    random_damage(100000);
    flip_golden();
    log_signatures();
    cosignatures();
    openssl_errors();
    note_limits();
    bad_base64();
    all_proofs();
    proofs_refused();
    tiles();
    buffers();
    hashed_together();
    origins();
    for (i = 0; i < 3; i++)
        free(texts[i]);
    printf("1..%d\n", tests);
    return failures == 0 ? 0 : 1;
}
