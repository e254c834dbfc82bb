/*
 * hash.c
 *		SHA-256, salts, leaves and commitments (README sections 2, 3, 5).
 */

/*
 * OpenSSL 3 calls the low-level SHA-256 functions deprecated in favour of EVP, whose
 * context set-up allocates and costs as much as hashing a typical record does. They
 * are used here, on the stack, and nowhere else.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

#include "format/hash.h"
#include "format/merkle.h"

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

void
gl_salt(const uint8_t secret[GL_SECRET_SIZE], uint64_t number, uint32_t column, GlSalt *salt)
{
	uint8_t		message[GL_TAG_SIZE + GL_SECRET_SIZE + 8 + 4];
	GlHash		hash;

	memcpy(message, salt_tag, GL_TAG_SIZE);
	memcpy(message + GL_TAG_SIZE, secret, GL_SECRET_SIZE);
	gl_put_u64(message + GL_TAG_SIZE + GL_SECRET_SIZE, number);
	gl_put_u32(message + GL_TAG_SIZE + GL_SECRET_SIZE + 8, column);
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

void
gl_record_leaf(const uint8_t record_secret[GL_SECRET_SIZE], uint64_t number,
			   const void *record, size_t length, GlHash *leaf)
{
	uint8_t		prefix[1 + GL_TAG_SIZE + GL_SALT_SIZE];
	GlSalt		salt;

	gl_salt(record_secret, number, 0, &salt);
	prefix[0] = LEAF_PREFIX;
	memcpy(prefix + 1, record_tag, GL_TAG_SIZE);
	memcpy(prefix + 1 + GL_TAG_SIZE, salt.bytes, GL_SALT_SIZE);
	hash_prefixed(prefix, sizeof(prefix), record, length, leaf->bytes);
}

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

/* The two hashes of merkle.h stand here because only this file may use low-level SHA-256. */

void
gl_merkle_leaf(const void *data, size_t length, GlHash *leaf)
{
	static const uint8_t prefix = LEAF_PREFIX;

	hash_prefixed(&prefix, 1, data, length, leaf->bytes);
}

void
gl_merkle_node(const GlHash *left, const GlHash *right, GlHash *node)
{
	uint8_t		message[1 + 2 * GL_HASH_SIZE];

	message[0] = NODE_PREFIX;
	memcpy(message + 1, left->bytes, GL_HASH_SIZE);
	memcpy(message + 1 + GL_HASH_SIZE, right->bytes, GL_HASH_SIZE);
	gl_sha256(message, sizeof(message), node);
}
