/*
 * note.c
 *		C2SP signed notes: keys, checkpoints, signatures and cosignatures (README section 8).
 */
#include <inttypes.h>
#include <stdio.h>

#include <openssl/err.h>
#include <openssl/evp.h>

#include "format/note.h"

/* em dash and space, which begin a signature line */
#define SIGNATURE_PREFIX "\xE2\x80\x94 "
#define SIGNATURE_PREFIX_SIZE 4

#define KEY_ID_SIZE 4
#define TIMESTAMP_SIZE 8
/* 32 bytes in base64 */
#define ROOT_TEXT_SIZE 44
/* 2^63-1 has so many digits */
#define NUMBER_TEXT_SIZE 19
/* key id, timestamp and signature: the longest payload whose content matters here */
#define PAYLOAD_SIZE (KEY_ID_SIZE + TIMESTAMP_SIZE + GL_ED25519_SIGNATURE_SIZE)
/* "cosignature/v1" NL "time " number NL, without the terminating zero */
#define COSIGNATURE_HEAD_SIZE (15 + 5 + NUMBER_TEXT_SIZE + 1)
#define BODY_MAX_SIZE (GL_ORIGIN_MAX_SIZE + 1 + NUMBER_TEXT_SIZE + 1 + ROOT_TEXT_SIZE + 1)

/* --- base64 --- */

static const char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Appends the base64 form of a || b. */
static void
append_base64(GlBuffer *out, GlBytes a, GlBytes b)
{
	size_t		length = a.length + b.length;
	uint32_t	bits = 0;
	size_t		i;

	for (i = 0; i < length; i++)
	{
		bits = bits << 8 | (i < a.length ? a.data[i] : b.data[i - a.length]);
		if (i % 3 == 0)
			gl_buffer_u8(out, (uint8_t) base64_digits[bits >> 2 & 0x3F]);
		else if (i % 3 == 1)
			gl_buffer_u8(out, (uint8_t) base64_digits[bits >> 4 & 0x3F]);
		else
		{
			gl_buffer_u8(out, (uint8_t) base64_digits[bits >> 6 & 0x3F]);
			gl_buffer_u8(out, (uint8_t) base64_digits[bits & 0x3F]);
		}
	}
	if (length % 3 == 1)
	{
		gl_buffer_u8(out, (uint8_t) base64_digits[bits << 4 & 0x3F]);
		gl_buffer_append(out, "==", 2);
	}
	else if (length % 3 == 2)
	{
		gl_buffer_u8(out, (uint8_t) base64_digits[bits << 2 & 0x3F]);
		gl_buffer_append(out, "=", 1);
	}
}

void
gl_base64_append(GlBuffer *out, const void *data, size_t length)
{
	GlBytes		all = {data, length};
	GlBytes		none = {NULL, 0};

	append_base64(out, all, none);
}

static int
base64_value(uint8_t digit)
{
	if (digit >= 'A' && digit <= 'Z')
		return digit - 'A';
	if (digit >= 'a' && digit <= 'z')
		return digit - 'a' + 26;
	if (digit >= '0' && digit <= '9')
		return digit - '0' + 52;
	if (digit == '+')
		return 62;
	if (digit == '/')
		return 63;
	return -1;
}

/*
 * Strict decoding. The first `room` bytes are written to `out`; *size is the size of the
 * whole, so that a long foreign signature can be checked without storing it.
 */
static bool
base64_decode(GlBytes text, uint8_t *out, size_t room, size_t *size)
{
	size_t		digits = text.length;
	uint32_t	bits = 0;
	size_t		count = 0;
	size_t		i;

	if (text.length % 4 != 0)
		return false;
	for (i = 0; i < 2 && digits > 0 && text.data[digits - 1] == '='; i++)
		digits--;
	for (i = 0; i < digits; i++)
	{
		int			value = base64_value(text.data[i]);

		if (value < 0)
			return false;
		bits = bits << 6 | (uint32_t) value;
		if (i % 4 == 0)
			continue;
		if (count < room)
			out[count] = (uint8_t) (bits >> (6 - 2 * (i % 4)));
		count++;
	}
	*size = count;
	/* bits after the last byte must be zero, or one value would have several forms */
	if (digits % 4 == 2)
		return (bits & 0x0F) == 0;
	if (digits % 4 == 3)
		return (bits & 0x03) == 0;
	return true;
}

bool
gl_base64_decode(GlBuffer *out, const void *text, size_t length)
{
	GlBytes		bytes = {text, length};
	size_t		size;

	if (!base64_decode(bytes, NULL, 0, &size))
		return false;
	gl_buffer_reserve(out, size);
	(void) base64_decode(bytes, out->data + out->length, size, &size);
	out->length += size;
	return true;
}

/* --- names and verifier keys --- */

/* Code points that Unicode calls white space, beyond ASCII, in UTF-8. */
static bool
starts_with_space(const uint8_t *at, size_t left)
{
	if (at[0] <= ' ')
		return true;
	if (left >= 2 && at[0] == 0xC2)
		return at[1] == 0x85 || at[1] == 0xA0;
	if (left < 3)
		return false;
	if (at[0] == 0xE1)
		return at[1] == 0x9A && at[2] == 0x80;
	if (at[0] == 0xE2 && at[1] == 0x80)
		return (at[2] >= 0x80 && at[2] <= 0x8A) || at[2] == 0xA8 || at[2] == 0xA9 || at[2] == 0xAF;
	if (at[0] == 0xE2)
		return at[1] == 0x81 && at[2] == 0x9F;
	return at[0] == 0xE3 && at[1] == 0x80 && at[2] == 0x80;
}

/* The rule of signed notes: not empty, no plus, no Unicode space; no control characters either. */
static bool
key_name_valid(GlBytes name)
{
	size_t		i;

	if (name.length == 0 || !gl_utf8_valid(name.data, name.length))
		return false;
	for (i = 0; i < name.length; i++)
	{
		if (name.data[i] == '+' || starts_with_space(name.data + i, name.length - i))
			return false;
	}
	return true;
}

static uint32_t
get_u32(const uint8_t *bytes)
{
	return (uint32_t) bytes[0] << 24 | (uint32_t) bytes[1] << 16 | (uint32_t) bytes[2] << 8 | bytes[3];
}

uint32_t
gl_key_id(GlBytes name, uint8_t type, const void *public_key, size_t length)
{
	uint8_t		middle[2] = {'\n', type};
	GlBytes		parts[3] = {name, {middle, sizeof(middle)}, {public_key, length}};
	GlHash		hash;

	gl_sha256_parts(parts, 3, &hash);
	return get_u32(hash.bytes);
}

void
gl_verifier_key_write(GlBuffer *out, GlBytes name, uint8_t type, const uint8_t public_key[GL_ED25519_PUBLIC_SIZE])
{
	char		id[1 + 8 + 1 + 1];
	GlBytes		type_byte = {&type, 1};
	GlBytes		key = {public_key, GL_ED25519_PUBLIC_SIZE};

	snprintf(id, sizeof(id), "+%08" PRIx32 "+", gl_key_id(name, type, public_key, GL_ED25519_PUBLIC_SIZE));
	gl_buffer_append(out, name.data, name.length);
	gl_buffer_append(out, id, 10);
	append_base64(out, type_byte, key);
}

bool
gl_verifier_key_read(GlBytes text, GlVerifierKey *key)
{
	uint8_t		decoded[1 + GL_ED25519_PUBLIC_SIZE];
	char		id[8 + 1];
	const uint8_t *plus = text.length > 0 ? memchr(text.data, '+', text.length) : NULL;
	size_t		after;
	size_t		size;
	GlBytes		encoded;

	if (plus == NULL)
		return false;
	key->name.data = text.data;
	key->name.length = (size_t) (plus - text.data);
	after = text.length - key->name.length - 1;
	if (!key_name_valid(key->name) || after < 9 || plus[9] != '+')
		return false;
	encoded.data = plus + 10;
	encoded.length = after - 9;
	if (!base64_decode(encoded, decoded, sizeof(decoded), &size) || size != sizeof(decoded))
		return false;
	key->type = decoded[0];
	if (key->type != GL_KEY_TYPE_ED25519 && key->type != GL_KEY_TYPE_COSIGNATURE)
		return false;
	memcpy(key->public_key, decoded + 1, GL_ED25519_PUBLIC_SIZE);
	key->key_id = gl_key_id(key->name, key->type, key->public_key, GL_ED25519_PUBLIC_SIZE);

	/* comparing with what we would write also forbids upper-case digits */
	snprintf(id, sizeof(id), "%08" PRIx32, key->key_id);
	return memcmp(id, plus + 1, 8) == 0;
}

/* --- checkpoints --- */

void
gl_checkpoint_body(GlBuffer *out, GlBytes origin, uint64_t size, const GlHash *root)
{
	char		number[32];
	int			length = snprintf(number, sizeof(number), "\n%" PRIu64 "\n", size);

	gl_buffer_append(out, origin.data, origin.length);
	gl_buffer_append(out, number, (size_t) length);
	gl_base64_append(out, root->bytes, GL_HASH_SIZE);
	gl_buffer_u8(out, '\n');
}

/* The next line without its line feed; false if there is none. */
static bool
next_line(GlBytes *rest, GlBytes *line)
{
	const uint8_t *feed = rest->length > 0 ? memchr(rest->data, '\n', rest->length) : NULL;

	if (feed == NULL)
		return false;
	line->data = rest->data;
	line->length = (size_t) (feed - rest->data);
	rest->data = feed + 1;
	rest->length -= line->length + 1;
	return true;
}

/* Decimal, no sign, no leading zero, at most 2^63-1. */
static bool
read_decimal(GlBytes text, uint64_t *number)
{
	size_t		i;

	if (text.length == 0 || text.length > NUMBER_TEXT_SIZE || (text.data[0] == '0' && text.length > 1))
		return false;
	*number = 0;
	for (i = 0; i < text.length; i++)
	{
		if (text.data[i] < '0' || text.data[i] > '9')
			return false;
		*number = *number * 10 + (uint64_t) (text.data[i] - '0');
	}
	return *number <= INT64_MAX;
}

static bool
read_body(GlCheckpoint *checkpoint)
{
	GlBytes		rest = checkpoint->body;
	GlBytes		size_text;
	GlBytes		root_text;
	GlHash		empty;
	size_t		size;

	if (!next_line(&rest, &checkpoint->origin) || !next_line(&rest, &size_text) || !next_line(&rest, &root_text) ||
		rest.length != 0)
		return false;
	if (checkpoint->origin.length == 0 || checkpoint->origin.length > GL_ORIGIN_MAX_SIZE ||
		!read_decimal(size_text, &checkpoint->size) ||
		!base64_decode(root_text, checkpoint->root.bytes, GL_HASH_SIZE, &size) || size != GL_HASH_SIZE)
		return false;
	if (checkpoint->size > 0)
		return true;
	gl_sha256("", 0, &empty);
	return gl_hash_equal(&empty, &checkpoint->root);
}

/*
 * One signature line into name and payload (key id included). Payloads may be longer than
 * `room`: foreign signature types are legal and ignored.
 */
static bool
read_signature_line(GlBytes line, GlBytes *name, uint8_t *payload, size_t room, size_t *payload_size)
{
	const uint8_t *space;
	GlBytes		encoded;

	if (line.length <= SIGNATURE_PREFIX_SIZE || memcmp(line.data, SIGNATURE_PREFIX, SIGNATURE_PREFIX_SIZE) != 0)
		return false;
	name->data = line.data + SIGNATURE_PREFIX_SIZE;
	space = memchr(name->data, ' ', line.length - SIGNATURE_PREFIX_SIZE);
	if (space == NULL)
		return false;
	name->length = (size_t) (space - name->data);
	encoded.data = space + 1;
	encoded.length = line.length - SIGNATURE_PREFIX_SIZE - name->length - 1;
	return key_name_valid(*name) &&
		base64_decode(encoded, payload, room, payload_size) && *payload_size > KEY_ID_SIZE;
}

bool
gl_checkpoint_read(GlBytes note, GlCheckpoint *checkpoint)
{
	uint8_t		payload[KEY_ID_SIZE];
	size_t		payload_size;
	size_t		split;
	size_t		i;
	GlBytes		rest;
	GlBytes		line;
	GlBytes		name;

	if (note.length < 2 || note.length > GL_NOTE_MAX_SIZE || note.data[note.length - 1] != '\n' ||
		!gl_utf8_valid(note.data, note.length))
		return false;
	for (i = 0; i < note.length; i++)
	{
		if (note.data[i] < ' ' && note.data[i] != '\n')
			return false;
	}

	/* the last blank line: text may contain empty lines, signatures may not */
	for (split = note.length - 1; split > 0; split--)
	{
		if (note.data[split] == '\n' && note.data[split - 1] == '\n')
			break;
	}
	if (split == 0)
		return false;
	checkpoint->body.data = note.data;
	checkpoint->body.length = split;
	checkpoint->signatures.data = note.data + split + 1;
	checkpoint->signatures.length = note.length - split - 1;
	if (checkpoint->signatures.length == 0 || !read_body(checkpoint))
		return false;

	rest = checkpoint->signatures;
	while (next_line(&rest, &line))
	{
		if (!read_signature_line(line, &name, payload, sizeof(payload), &payload_size))
			return false;
	}
	return true;
}

void
gl_note_signature_line(GlBuffer *out, GlBytes name, uint32_t key_id, const uint8_t *payload, size_t length)
{
	uint8_t		id[KEY_ID_SIZE];
	GlBytes		id_bytes = {id, sizeof(id)};
	GlBytes		payload_bytes = {payload, length};

	gl_put_u32(id, key_id);
	gl_buffer_append(out, SIGNATURE_PREFIX, SIGNATURE_PREFIX_SIZE);
	gl_buffer_append(out, name.data, name.length);
	gl_buffer_u8(out, ' ');
	append_base64(out, id_bytes, payload_bytes);
	gl_buffer_u8(out, '\n');
}

/* What a cosigner signs: at `time` this was the largest tree it had seen. Returns 0 if the body is too long. */
static size_t
cosigned_message(GlBytes body, uint64_t time, uint8_t *message, size_t room)
{
	size_t		length;

	length = (size_t) snprintf((char *) message, room, "cosignature/v1\ntime %" PRIu64 "\n", time);
	if (body.length > room - length)
		return 0;
	memcpy(message + length, body.data, body.length);
	return length + body.length;
}

/* Verify the payload of a line that bears the key's name and id. */
static bool
verify_payload(const GlCheckpoint *checkpoint, const GlVerifierKey *key, const uint8_t *payload, size_t size,
			   uint64_t *timestamp)
{
	uint8_t		message[COSIGNATURE_HEAD_SIZE + BODY_MAX_SIZE + 1];
	uint64_t	time;
	size_t		length;

	if (key->type == GL_KEY_TYPE_ED25519)
		return size == KEY_ID_SIZE + GL_ED25519_SIGNATURE_SIZE &&
			gl_ed25519_verify(key->public_key, checkpoint->body.data, checkpoint->body.length, payload + KEY_ID_SIZE);
	if (key->type != GL_KEY_TYPE_COSIGNATURE || size != PAYLOAD_SIZE)
		return false;
	time = (uint64_t) get_u32(payload + KEY_ID_SIZE) << 32 | get_u32(payload + KEY_ID_SIZE + 4);
	if (time > INT64_MAX)
		return false;
	length = cosigned_message(checkpoint->body, time, message, sizeof(message));
	if (length == 0 ||
		!gl_ed25519_verify(key->public_key, message, length, payload + KEY_ID_SIZE + TIMESTAMP_SIZE))
		return false;
	if (timestamp != NULL)
		*timestamp = time;
	return true;
}

GlNoteVerdict
gl_checkpoint_verify(const GlCheckpoint *checkpoint, const GlVerifierKey *key, uint64_t *timestamp)
{
	GlBytes		rest = checkpoint->signatures;
	GlBytes		line;

	/* a log key speaks for the log of its own name only */
	if (key->type == GL_KEY_TYPE_ED25519 && !gl_bytes_equal(key->name, checkpoint->origin))
		return GL_NOTE_UNSIGNED;
	while (next_line(&rest, &line))
	{
		uint8_t		payload[PAYLOAD_SIZE];
		size_t		size;
		GlBytes		name;

		if (!read_signature_line(line, &name, payload, sizeof(payload), &size))
			return GL_NOTE_INVALID;
		/* the first line of this name and id decides, later ones are ignored */
		if (get_u32(payload) == key->key_id && gl_bytes_equal(name, key->name))
			return verify_payload(checkpoint, key, payload, size, timestamp) ? GL_NOTE_VALID : GL_NOTE_INVALID;
	}
	return rest.length == 0 ? GL_NOTE_UNSIGNED : GL_NOTE_INVALID;
}

bool
gl_ed25519_verify(const uint8_t public_key[GL_ED25519_PUBLIC_SIZE], const void *message, size_t length,
				  const uint8_t signature[GL_ED25519_SIGNATURE_SIZE])
{
	EVP_PKEY   *key;
	EVP_MD_CTX *context;
	bool		valid = false;

	/* the caller's own OpenSSL errors, if any, stay; ours go */
	ERR_set_mark();
	key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public_key, GL_ED25519_PUBLIC_SIZE);
	context = EVP_MD_CTX_new();
	if (key != NULL && context != NULL &&
		EVP_DigestVerifyInit(context, NULL, NULL, NULL, key) == 1)
		valid = EVP_DigestVerify(context, signature, GL_ED25519_SIGNATURE_SIZE, message, length) == 1;
	EVP_MD_CTX_free(context);
	EVP_PKEY_free(key);
	ERR_pop_to_mark();
	return valid;
}
