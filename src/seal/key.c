/*
 * key.c
 *		The signing key, opened through OpenSSL's store; see key.h.
 *
 * Everything of OpenSSL lives as long as the process or is freed before an error is raised: a longjmp frees nothing.
 * Nothing is created before the first call, so a preloaded library hands no half-made state to every child.
 */
#include "seal/key.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/store.h>
#include <openssl/ui.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/catalog.h"
#include "seal/settings.h"
#include "storage/fd.h"
#include "utils/memutils.h"

/* A PKCS#8 Ed25519 key in PEM has 119 bytes; anything near this size is something else. */
#define GL_KEY_FILE_MAX_SIZE (64 * 1024)

struct GlKey
{
	char	   *uri;			/* NULL: free slot */
	struct stat file;			/* all zero unless in a file */
	EVP_PKEY   *pkey;
	uint8_t		public_key[GL_ED25519_PUBLIC_SIZE];
};

static GlKey gl_keys[GL_KEY_SLOTS];
static int	gl_key_next_slot = 0;
static EVP_MD_CTX *gl_sign_context = NULL;
static UI_METHOD *gl_no_questions = NULL;
static bool gl_question_asked = false;

#define GL_KEY_HINT_GENERATE \
	"Make one with SELECT govledger.generate_key('/path/outside/the/data/directory') and name it in govledger.signing_key."

const char *
gl_openssl_error(void)
{
	unsigned long code = ERR_get_error();
	const char *reason = code != 0 ? ERR_reason_error_string(code) : NULL;

	ERR_clear_error();
	return reason != NULL ? reason : "no reason given";
}

/* OpenSSL wants a pass phrase or a PIN: a server has nobody to ask. */
static int
gl_refuse_question(UI *ui, UI_STRING *question)
{
	gl_question_asked = true;
	return 0;
}

static UI_METHOD *
gl_ui_method(void)
{
	if (gl_no_questions != NULL)
		return gl_no_questions;
	gl_no_questions = UI_create_method("govledger asks nobody");
	if (gl_no_questions == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	UI_method_set_reader(gl_no_questions, gl_refuse_question);
	return gl_no_questions;
}

static void
gl_key_forget(GlKey *key)
{
	EVP_PKEY_free(key->pkey);	/* wipes it */
	if (key->uri != NULL)
		pfree(key->uri);
	memset(key, 0, sizeof(*key));
}

/* Same rule as for the server's TLS key: nobody but its owner may read it, or root's group when it is root's. */
static void
gl_key_check_file(const char *path, const struct stat *file)
{
	if (!S_ISREG(file->st_mode))
		ereport(ERROR,
				(errcode(ERRCODE_CONFIG_FILE_ERROR),
				 errmsg("signing key file \"%s\" is not a regular file", path)));
	if (file->st_uid != geteuid() && file->st_uid != 0)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIG_FILE_ERROR),
				 errmsg("signing key file \"%s\" belongs to another user", path),
				 errhint("It must belong to the user that runs the server, or to root.")));
	if ((file->st_uid == geteuid() && (file->st_mode & (S_IRWXG | S_IRWXO))) ||
		(file->st_uid == 0 && (file->st_mode & (S_IWGRP | S_IXGRP | S_IRWXO))))
		ereport(ERROR,
				(errcode(ERRCODE_CONFIG_FILE_ERROR),
				 errmsg("signing key file \"%s\" has group or world access", path),
				 errdetail("Its permissions are %04o.", (unsigned) (file->st_mode & 07777)),
				 errhint("Run chmod 0600 on it; if others could read it, make a new key and run govledger.rotate_key().")));
	if (file->st_size > GL_KEY_FILE_MAX_SIZE)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIG_FILE_ERROR),
				 errmsg("signing key file \"%s\" is too large to be a key", path)));
}

static int
gl_key_open_file(const char *path, struct stat *file)
{
	int			fd = OpenTransientFile(path, O_RDONLY | O_NONBLOCK | PG_BINARY);
	bool		missing = fd < 0 && errno == ENOENT;

	if (fd < 0 || fstat(fd, file) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not open signing key file \"%s\": %m", path),
				 missing ? errhint(GL_KEY_HINT_GENERATE) :
				 errhint("The user that runs the server must be able to read it.")));
	gl_key_check_file(path, file);
	return fd;
}

/* Was the file left alone since the key was read from it? */
static bool
gl_key_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
		a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
		a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* The first private key in the store, or NULL; `found` says what else was there. Frees the store. */
static EVP_PKEY *
gl_key_from_store(OSSL_STORE_CTX *store, const char **found)
{
	EVP_PKEY   *pkey = NULL;

	*found = "nothing that OpenSSL can read";
	while (store != NULL && pkey == NULL && !OSSL_STORE_eof(store))
	{
		OSSL_STORE_INFO *info = OSSL_STORE_load(store);

		if (info == NULL)
		{
			/* one object in a file may be unreadable and the next one the key */
			if (OSSL_STORE_error(store) && gl_question_asked)
				break;
			continue;
		}
		if (OSSL_STORE_INFO_get_type(info) == OSSL_STORE_INFO_PKEY)
			pkey = OSSL_STORE_INFO_get1_PKEY(info);
		else if (OSSL_STORE_INFO_get_type(info) == OSSL_STORE_INFO_PUBKEY)
			*found = "a public key";
		else if (OSSL_STORE_INFO_get_type(info) == OSSL_STORE_INFO_CERT)
			*found = "a certificate";
		OSSL_STORE_INFO_free(info);
	}
	if (store != NULL)
		OSSL_STORE_close(store);
	return pkey;
}

/* Read the key through the descriptor that was checked, so no other file can slip in between. Closes it. */
static EVP_PKEY *
gl_key_read_file(const char *path, int fd, const struct stat *file, const char **found)
{
	size_t		length = (size_t) file->st_size;
	uint8_t    *content = palloc(length + 1);
	ssize_t		got = read(fd, content, length);
	OSSL_STORE_CTX *store = NULL;
	EVP_PKEY   *pkey = NULL;
	BIO		   *bio = NULL;

	if (got < 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not read signing key file \"%s\": %m", path)));
	CloseTransientFile(fd);
	bio = BIO_new_mem_buf(content, (int) got);
	if (bio != NULL)
		store = OSSL_STORE_attach(bio, "file", NULL, NULL, gl_no_questions, NULL, NULL, NULL, NULL);
	pkey = gl_key_from_store(store, found);
	BIO_free(bio);
	OPENSSL_cleanse(content, length + 1);
	pfree(content);
	return pkey;
}

static void
gl_key_raise_unusable(const char *uri, const char *found)
{
	const char *reason = gl_openssl_error();
	const char *path = gl_key_uri_path(uri);

	if (gl_question_asked)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIG_FILE_ERROR),
				 errmsg("signing key needs a pass phrase or a PIN"),
				 errhint("Keep the key in a file without pass phrase that only the server can read, or give the PIN to "
						 "the PKCS#11 provider in the OpenSSL configuration.")));
	if (path != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIG_FILE_ERROR),
				 errmsg("signing key file \"%s\" holds no private key", path),
				 errdetail("Found %s.", found),
				 errhint(GL_KEY_HINT_GENERATE)));
	ereport(ERROR,
			(errcode(ERRCODE_CONFIG_FILE_ERROR),
			 errmsg("could not open the signing key through OpenSSL"),
			 errdetail("OpenSSL says: %s.", reason),
			 errhint("A pkcs11: URI needs a PKCS#11 provider in the OpenSSL configuration of the server.")));
}

static void
gl_key_check_type(EVP_PKEY *pkey, uint8_t public_key[GL_ED25519_PUBLIC_SIZE])
{
	size_t		length = GL_ED25519_PUBLIC_SIZE;

	if (EVP_PKEY_is_a(pkey, "ED25519") && EVP_PKEY_get_raw_public_key(pkey, public_key, &length) == 1 &&
		length == GL_ED25519_PUBLIC_SIZE)
		return;
	ERR_clear_error();
	EVP_PKEY_free(pkey);
	ereport(ERROR,
			(errcode(ERRCODE_CONFIG_FILE_ERROR),
			 errmsg("signing key is not an Ed25519 key"),
			 errhint(GL_KEY_HINT_GENERATE)));
}

static GlKey *
gl_key_cached(const char *uri, const struct stat *file)
{
	int			i;

	for (i = 0; i < GL_KEY_SLOTS; i++)
	{
		if (gl_keys[i].uri == NULL || strcmp(gl_keys[i].uri, uri) != 0)
			continue;
		if (gl_key_same_file(&gl_keys[i].file, file))
			return &gl_keys[i];
		gl_key_forget(&gl_keys[i]);
	}
	return NULL;
}

GlKey *
gl_key_open(const char *uri)
{
	const char *path = gl_key_uri_path(uri);
	const char *found;
	struct stat file;
	uint8_t		public_key[GL_ED25519_PUBLIC_SIZE];
	EVP_PKEY   *pkey;
	GlKey	   *key;
	int			fd = -1;

	Assert(*uri != '\0' && gl_key_uri_problem(uri) == NULL);
	memset(&file, 0, sizeof(file));
	if (path != NULL)
		fd = gl_key_open_file(path, &file);
	key = gl_key_cached(uri, &file);
	if (key != NULL)
	{
		if (fd >= 0)
			CloseTransientFile(fd);
		return key;
	}

	ERR_clear_error();
	gl_question_asked = false;
	gl_ui_method();
	if (path != NULL)
		pkey = gl_key_read_file(path, fd, &file, &found);
	else
		pkey = gl_key_from_store(OSSL_STORE_open(uri, gl_no_questions, NULL, NULL, NULL), &found);
	if (pkey == NULL)
		gl_key_raise_unusable(uri, found);
	gl_key_check_type(pkey, public_key);
	ERR_clear_error();

	key = &gl_keys[gl_key_next_slot];
	gl_key_next_slot = (gl_key_next_slot + 1) % GL_KEY_SLOTS;
	gl_key_forget(key);
	key->pkey = pkey;
	key->file = file;
	memcpy(key->public_key, public_key, sizeof(public_key));
	key->uri = MemoryContextStrdup(TopMemoryContext, uri);
	return key;
}

const uint8_t *
gl_key_public(const GlKey *key)
{
	return key->public_key;
}

void
gl_key_sign(GlKey *key, const void *message, size_t length, uint8_t signature[GL_ED25519_SIGNATURE_SIZE])
{
	size_t		size = GL_ED25519_SIGNATURE_SIZE;
	bool		signed_ok;

	ERR_clear_error();
	if (gl_sign_context == NULL)
		gl_sign_context = EVP_MD_CTX_new();
	signed_ok = gl_sign_context != NULL && EVP_MD_CTX_reset(gl_sign_context) == 1 &&
		EVP_DigestSignInit(gl_sign_context, NULL, NULL, NULL, key->pkey) == 1 &&
		EVP_DigestSign(gl_sign_context, signature, &size, message, length) == 1 && size == GL_ED25519_SIGNATURE_SIZE;
	if (gl_sign_context != NULL)
		EVP_MD_CTX_reset(gl_sign_context);
	if (!signed_ok)
		ereport(ERROR,
				(errcode(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION),
				 errmsg("could not sign with the signing key"),
				 errdetail("OpenSSL says: %s.", gl_openssl_error())));
	/* a wrong signature can give an Ed25519 key away, and would be refused by every reader */
	if (!gl_ed25519_verify(key->public_key, message, length, signature))
		ereport(ERROR,
				(errcode(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION),
				 errmsg("the signing key made a signature that does not verify")));
}

uint32
gl_key_id_for(const GlKey *key, const char *origin)
{
	GlBytes		name = {(const uint8_t *) origin, strlen(origin)};

	return gl_key_id(name, GL_KEY_TYPE_ED25519, key->public_key, GL_ED25519_PUBLIC_SIZE);
}

char *
gl_verifier_key_string(const char *origin, const uint8_t public_key[GL_ED25519_PUBLIC_SIZE])
{
	GlBytes		name = {(const uint8_t *) origin, strlen(origin)};
	GlBuffer	out;

	gl_buffer_init(&out, gl_grow);
	gl_verifier_key_write(&out, name, GL_KEY_TYPE_ED25519, public_key);
	gl_buffer_u8(&out, '\0');
	return (char *) out.data;
}

char *
gl_key_verifier(const GlKey *key, const char *origin)
{
	return gl_verifier_key_string(origin, key->public_key);
}
