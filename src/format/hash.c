/*
 * hash.c
 *		SHA-256, salts, leaves and commitments (README sections 2, 3, 5).
 */

/*
 * OpenSSL 3 calls the low-level SHA-256 functions deprecated in favour of EVP, whose
 * context set-up allocates and costs as much as hashing a typical record does. They
 * are used here and in sha256.c, on the stack, and nowhere else.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

#include "format/hash.h"
#include "format/merkle.h"
#include "format/sha256.h"

#define LEAF_PREFIX 0x00
#define NODE_PREFIX 0x01

static const uint8_t salt_tag[GL_TAG_SIZE] = {'G', 'L', 'X', '1'};
static const uint8_t record_tag[GL_TAG_SIZE] = {'G', 'L', 'R', '1'};
static const uint8_t personal_tag[GL_TAG_SIZE] = {'G', 'L', 'P', '1'};
static const uint8_t context_tag[GL_TAG_SIZE] = {'G', 'L', 'C', '1'};

void
gl_sha256(const void *data, size_t length, GlHash *hash)
{
	SHA256_CTX	context;

	SHA256_Init(&context);
	SHA256_Update(&context, data, length);
	SHA256_Final(hash->bytes, &context);
}

void
gl_sha256_parts(const GlBytes *parts, int count, GlHash *hash)
{
	SHA256_CTX	context;
	int			i;

	SHA256_Init(&context);
	for (i = 0; i < count; i++)
		SHA256_Update(&context, parts[i].data, parts[i].length);
	SHA256_Final(hash->bytes, &context);
}

/* SHA-256 of a short prefix and the bytes it introduces. */
static inline void
hash_prefixed(const uint8_t *prefix, size_t prefix_length, const void *data, size_t length, uint8_t *out)
{
	SHA256_CTX	context;

	SHA256_Init(&context);
	SHA256_Update(&context, prefix, prefix_length);
	SHA256_Update(&context, data, length);
	SHA256_Final(out, &context);
}

#define SALT_MESSAGE_SIZE (GL_TAG_SIZE + GL_SECRET_SIZE + 8 + 4)

static void
salt_message(uint8_t message[SALT_MESSAGE_SIZE], const uint8_t *secret, uint64_t number, uint32_t column)
{
	memcpy(message, salt_tag, GL_TAG_SIZE);
	memcpy(message + GL_TAG_SIZE, secret, GL_SECRET_SIZE);
	gl_put_u64(message + GL_TAG_SIZE + GL_SECRET_SIZE, number);
	gl_put_u32(message + GL_TAG_SIZE + GL_SECRET_SIZE + 8, column);
}

void
gl_salt(const uint8_t secret[GL_SECRET_SIZE], uint64_t number, uint32_t column, GlSalt *salt)
{
	uint8_t		message[SALT_MESSAGE_SIZE];
	GlHash		hash;

	salt_message(message, secret, number, column);
	gl_sha256(message, sizeof(message), &hash);
	memcpy(salt->bytes, hash.bytes, GL_SALT_SIZE);
}

void
gl_record_secret(const uint8_t secret[GL_SECRET_SIZE], uint8_t record_secret[GL_SECRET_SIZE])
{
	GlSalt		salt;

	gl_salt(secret, GL_SALT_RECORD_SECRET, 0, &salt);
	memcpy(record_secret, salt.bytes, GL_SECRET_SIZE);
}

#define RECORD_PREFIX_SIZE (1 + GL_TAG_SIZE + GL_SALT_SIZE)

static void
record_prefix(uint8_t prefix[RECORD_PREFIX_SIZE], const uint8_t *salt)
{
	prefix[0] = LEAF_PREFIX;
	memcpy(prefix + 1, record_tag, GL_TAG_SIZE);
	memcpy(prefix + 1 + GL_TAG_SIZE, salt, GL_SALT_SIZE);
}

void
gl_record_leaf(const uint8_t record_secret[GL_SECRET_SIZE], uint64_t number,
			   const void *record, size_t length, GlHash *leaf)
{
	uint8_t		prefix[RECORD_PREFIX_SIZE];
	GlSalt		salt;

	gl_salt(record_secret, number, 0, &salt);
	record_prefix(prefix, salt.bytes);
	hash_prefixed(prefix, sizeof(prefix), record, length, leaf->bytes);
}

/* --- two messages at once --- */

/* A short message, with room for its padding. */
#define MESSAGE_MAX (15 * GL_SHA256_BLOCK)

typedef struct GlHashMessage
{
	size_t		length;
	size_t		blocks;
	uint8_t		bytes[MESSAGE_MAX + GL_SHA256_BLOCK];
} GlHashMessage;

static inline void
message_pad(GlHashMessage *message)
{
	size_t		end;

	/* a byte 0x80, zeros, and the length in bits as eight bytes fill the last block */
	message->blocks = (message->length + 8) / GL_SHA256_BLOCK + 1;
	end = message->blocks * GL_SHA256_BLOCK;
	message->bytes[message->length] = 0x80;
	memset(message->bytes + message->length + 1, 0, end - message->length - 9);
	gl_put_u64(message->bytes + end - 8, (uint64_t) message->length * 8);
}

static void
hash_two(GlHashMessage messages[2], GlHash *first, GlHash *second)
{
	GlSha256	a;
	GlSha256	b;
	size_t		both;

	message_pad(&messages[0]);
	message_pad(&messages[1]);
	both = messages[0].blocks < messages[1].blocks ? messages[0].blocks : messages[1].blocks;
	gl_sha256_start(&a);
	gl_sha256_start(&b);
	gl_sha256_two(&a, messages[0].bytes, &b, messages[1].bytes, both);
	gl_sha256_blocks(&a, messages[0].bytes + both * GL_SHA256_BLOCK, messages[0].blocks - both);
	gl_sha256_blocks(&b, messages[1].bytes + both * GL_SHA256_BLOCK, messages[1].blocks - both);
	gl_sha256_digest(&a, first->bytes);
	gl_sha256_digest(&b, second->bytes);
}

static inline bool
record_is_short(const GlBytes *record)
{
	return record->length <= MESSAGE_MAX - RECORD_PREFIX_SIZE;
}

static void
record_leaf_two(const uint8_t *record_secret, uint64_t number, const GlBytes *records, GlHash *leaves)
{
	GlHashMessage		messages[2];
	GlHash		salts[2];
	int			i;

	for (i = 0; i < 2; i++)
	{
		salt_message(messages[i].bytes, record_secret, number + (uint64_t) i, 0);
		messages[i].length = SALT_MESSAGE_SIZE;
	}
	hash_two(messages, &salts[0], &salts[1]);
	for (i = 0; i < 2; i++)
	{
		record_prefix(messages[i].bytes, salts[i].bytes);
		if (records[i].length > 0)
			memcpy(messages[i].bytes + RECORD_PREFIX_SIZE, records[i].data, records[i].length);
		messages[i].length = RECORD_PREFIX_SIZE + records[i].length;
	}
	hash_two(messages, &leaves[0], &leaves[1]);
}

void
gl_record_leaves(const uint8_t record_secret[GL_SECRET_SIZE], uint64_t first, const GlBytes *records, size_t count,
				 GlHash *leaves)
{
	size_t		i = 0;

	while (i < count)
	{
		if (i + 1 < count && record_is_short(&records[i]) && record_is_short(&records[i + 1]))
		{
			record_leaf_two(record_secret, first + i, &records[i], &leaves[i]);
			i += 2;
		}
		else
		{
			gl_record_leaf(record_secret, first + i, records[i].data, records[i].length, &leaves[i]);
			i++;
		}
	}
}

/* --- one --- */

void
gl_personal_leaf(const GlSalt *salt, uint32_t column_id, bool present,
				 const void *value, size_t length, GlHash *leaf)
{
	uint8_t		prefix[1 + GL_TAG_SIZE + GL_SALT_SIZE + 4 + 1];

	prefix[0] = LEAF_PREFIX;
	memcpy(prefix + 1, personal_tag, GL_TAG_SIZE);
	memcpy(prefix + 1 + GL_TAG_SIZE, salt->bytes, GL_SALT_SIZE);
	gl_put_u32(prefix + 1 + GL_TAG_SIZE + GL_SALT_SIZE, column_id);
	prefix[sizeof(prefix) - 1] = present ? 1 : 0;
	hash_prefixed(prefix, sizeof(prefix), value, present ? length : 0, leaf->bytes);
}

void
gl_context_commitment(const GlSalt *salt, const void *context, size_t length, GlHash *commitment)
{
	uint8_t		prefix[GL_TAG_SIZE + GL_SALT_SIZE];

	memcpy(prefix, context_tag, GL_TAG_SIZE);
	memcpy(prefix + GL_TAG_SIZE, salt->bytes, GL_SALT_SIZE);
	hash_prefixed(prefix, sizeof(prefix), context, length, commitment->bytes);
}

/* The hashes of merkle.h stand here because only this file may use low-level SHA-256. */

void
gl_merkle_leaf(const void *data, size_t length, GlHash *leaf)
{
	static const uint8_t prefix = LEAF_PREFIX;

	hash_prefixed(&prefix, 1, data, length, leaf->bytes);
}

#define NODE_MESSAGE_SIZE (1 + 2 * GL_HASH_SIZE)

static void
node_message(uint8_t message[NODE_MESSAGE_SIZE], const GlHash *left, const GlHash *right)
{
	message[0] = NODE_PREFIX;
	memcpy(message + 1, left->bytes, GL_HASH_SIZE);
	memcpy(message + 1 + GL_HASH_SIZE, right->bytes, GL_HASH_SIZE);
}

void
gl_merkle_node(const GlHash *left, const GlHash *right, GlHash *node)
{
	uint8_t		message[NODE_MESSAGE_SIZE];

	node_message(message, left, right);
	gl_sha256(message, sizeof(message), node);
}

void
gl_merkle_level(GlHash *nodes, size_t count)
{
	GlHashMessage		messages[2];
	size_t		i;

	messages[0].length = messages[1].length = NODE_MESSAGE_SIZE;
	for (i = 0; i + 1 < count; i += 2)
	{
		node_message(messages[0].bytes, &nodes[2 * i], &nodes[2 * i + 1]);
		node_message(messages[1].bytes, &nodes[2 * i + 2], &nodes[2 * i + 3]);
		hash_two(messages, &nodes[i], &nodes[i + 1]);
	}
	if (i < count)
		gl_merkle_node(&nodes[2 * i], &nodes[2 * i + 1], &nodes[i]);
}
