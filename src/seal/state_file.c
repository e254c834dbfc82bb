/*
 * state_file.c
 *		The signer state file; see state_file.h.
 */
#include "seal/state_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/builtins.h"

#include "core/catalog.h"
#include "format/note.h"
#include "seal/file.h"
#include "seal/home.h"
#include "seal/settings.h"

#define GL_STATE_FIRST_LINE "govledger signer state v1\n"
#define GL_STATE_MAX_SIZE (1024 * 1024)
#define GL_STATE_LOCK_TRIES 1000
#define GL_STATE_LOCK_PAUSE 10000	/* microseconds */

typedef struct GlStateLine
{
	bool		found;
	uint64		size;			/* 0: nothing signed yet, on purpose */
	GlHash		root;
} GlStateLine;

char *
gl_state_file_path(const char *key_uri)
{
	const char *path = gl_key_uri_path(key_uri);

	if (*gl_setting_signer_state_file != '\0')
		return pstrdup(gl_setting_signer_state_file);
	if (path != NULL)
		return psprintf("%s.state", path);
	ereport(ERROR,
			(errcode(ERRCODE_CONFIG_FILE_ERROR),
			 errmsg("govledger.signer_state_file must be set for a key that is not in a file"),
			 errhint("Name a file on this server, outside the data directory, that no backup of the database restores.")));
}

static void
gl_state_raise_garbled(const char *path)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("signer state file \"%s\" cannot be understood", path),
			 errdetail("Nothing is signed as long as it is not known what was signed last."),
			 errhint("Restore the file as it was.")));
}

/* Keep every other signer that uses this file out: processes of this cluster and of others. Closed at transaction end. */
static int
gl_state_lock(const char *path)
{
	char	   *directory = pstrdup(path);
	int			tries = 0;
	int			fd;

	get_parent_directory(directory);
	fd = OpenTransientFile(directory, O_RDONLY | PG_BINARY);
	if (fd < 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not open directory \"%s\" of the signer state file: %m", directory)));
	while (flock(fd, LOCK_EX | LOCK_NB) != 0)
	{
		if ((errno != EWOULDBLOCK && errno != EINTR) || ++tries > GL_STATE_LOCK_TRIES)
			ereport(ERROR,
					(errcode_for_file_access(),
					 errmsg("could not lock directory \"%s\" of the signer state file: %m", directory)));
		CHECK_FOR_INTERRUPTS();
		pg_usleep(GL_STATE_LOCK_PAUSE);
	}
	return fd;
}

/* The whole file as a string, NULL if there is none. */
static char *
gl_state_load(const char *path)
{
	int			fd = OpenTransientFile(path, O_RDONLY | PG_BINARY);
	struct stat file;
	char	   *content;
	ssize_t		got;

	if (fd < 0 && errno == ENOENT)
		return NULL;
	if (fd < 0 || fstat(fd, &file) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not open signer state file \"%s\": %m", path),
				 errdetail("Nothing is signed as long as it is not known what was signed last.")));
	if (!S_ISREG(file.st_mode) || file.st_size > GL_STATE_MAX_SIZE)
		gl_state_raise_garbled(path);
	content = palloc(file.st_size + 1);
	got = read(fd, content, file.st_size);
	if (got < 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not read signer state file \"%s\": %m", path)));
	CloseTransientFile(fd);
	content[got] = '\0';
	if (strlen(content) != (size_t) got)
		gl_state_raise_garbled(path);
	return content;
}

/* Size and root after the origin; false if malformed. */
static bool
gl_state_parse_tree(char *text, GlStateLine *line)
{
	char	   *space = strchr(text, ' ');
	char	   *end;
	GlBuffer	root;

	if (space == NULL || space - text > 19 || strspn(text, "0123456789") != (size_t) (space - text) ||
		(text[0] == '0' && space - text != 1))
		return false;
	line->size = strtoull(text, &end, 10);
	if (strcmp(space + 1, "-") == 0)
		return line->size == 0;
	gl_buffer_init(&root, gl_grow);
	if (line->size == 0 || !gl_base64_decode(&root, space + 1, strlen(space + 1)) || root.length != GL_HASH_SIZE)
		return false;
	memcpy(line->root.bytes, root.data, GL_HASH_SIZE);
	return true;
}

/* Find the line of this origin; `others` gets the lines of the others. Overwrites the content. */
static void
gl_state_parse(const char *path, char *content, const char *origin, GlStateLine *line, StringInfo others)
{
	size_t		head = strlen(GL_STATE_FIRST_LINE);
	char	   *at = content + head;

	memset(line, 0, sizeof(*line));
	if (strncmp(content, GL_STATE_FIRST_LINE, head) != 0)
		gl_state_raise_garbled(path);
	while (*at != '\0')
	{
		char	   *end = strchr(at, '\n');
		char	   *space = strchr(at, ' ');
		GlStateLine read;

		if (end == NULL || space == NULL || space > end)
			gl_state_raise_garbled(path);
		*end = '\0';
		if (!gl_origin_valid(at, space - at) || !gl_state_parse_tree(space + 1, &read))
			gl_state_raise_garbled(path);
		if (strncmp(at, origin, space - at) == 0 && origin[space - at] == '\0')
		{
			if (line->found)
				gl_state_raise_garbled(path);
			*line = read;
			line->found = true;
		}
		else
			appendStringInfo(others, "%s\n", at);
		at = end + 1;
	}
}

/* Refuse to sign a tree that does not continue the one in the file. */
static void
gl_state_check(const char *path, const GlStateLine *line, const GlSealRow *tree)
{
	GlSealRow	then;

	if (line->size > tree->tree_size)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("refusing to sign: this database lacks entries that were signed already"),
				 errdetail("Signer state file \"%s\" knows a tree of " UINT64_FORMAT " leaves; here are " UINT64_FORMAT
						   ". This database was restored from a backup, or its log was cut.",
						   path, line->size, tree->tree_size),
				 errhint("Restore a newer backup, with all WAL, or get the missing entries from a peer. If they are lost for good, "
						 "begin a new log that says so: SELECT govledger.start_successor('reason').")));
	if (!gl_seal_of_size(line->size, &then) || !gl_hash_equal(&then.root, &line->root))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("refusing to sign: the log differs from the one that was signed"),
				 errdetail("The tree of the first " UINT64_FORMAT " leaves is another than signer state file \"%s\" knows.",
						   line->size, path),
				 errhint("The log was rewritten, or went on in two places after a restore or a copy. Run SELECT * FROM govledger.verify(). "
						 "If what was signed is lost for good, begin a new log that says so: SELECT govledger.start_successor('reason').")));
}

static void
gl_state_write(const char *path, const char *origin, const GlSealRow *tree, const char *others)
{
	char	   *temporary = psprintf("%s.tmp", path);
	GlBuffer	root;
	StringInfoData content;

	gl_buffer_init(&root, gl_grow);
	gl_base64_append(&root, tree->root.bytes, GL_HASH_SIZE);
	initStringInfo(&content);
	appendStringInfo(&content, GL_STATE_FIRST_LINE "%s" "%s " UINT64_FORMAT " %.*s\n",
					 others, origin, tree->tree_size, (int) root.length, (const char *) root.data);

	gl_file_replace(path, temporary, content.data, S_IRUSR | S_IWUSR, "signer state");
}

void
gl_state_file_advance(const char *path, const char *origin, const GlSealRow *tree, bool must_exist)
{
	int			lock = gl_state_lock(path);
	char	   *content = gl_state_load(path);
	GlStateLine line = {0};
	StringInfoData others;

	initStringInfo(&others);
	if (content != NULL)
		gl_state_parse(path, content, origin, &line, &others);
	if (!line.found && must_exist)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("refusing to sign: signer state file \"%s\" does not know what was signed last", path),
				 errdetail("This key has signed checkpoints of \"%s\" already, so the file must name one.", origin),
				 errhint("Restore the file. If it is lost, and nobody holds a later checkpoint than this database, "
						 "write two lines into it: \"%.*s\" and \"%s 0 -\".",
						 (int) strlen(GL_STATE_FIRST_LINE) - 1, GL_STATE_FIRST_LINE, origin)));
	if (line.found && line.size > 0)
		gl_state_check(path, &line, tree);
	gl_home_take(path, origin);
	if (!line.found || line.size != tree->tree_size)
		gl_state_write(path, origin, tree, others.data);
	CloseTransientFile(lock);
}

bool
gl_state_file_read(const char *path, const char *origin, uint64 *size, GlHash *root)
{
	int			lock = gl_state_lock(path);
	char	   *content = gl_state_load(path);
	GlStateLine line = {0};
	StringInfoData others;

	initStringInfo(&others);
	if (content != NULL)
		gl_state_parse(path, content, origin, &line, &others);
	CloseTransientFile(lock);
	*size = line.size;
	*root = line.root;
	return line.size > 0;
}
