/*
 * version.h
 *		Which version of the SQL objects is installed, when the library may be of another.
 *
 * The library changes when the server restarts, the SQL objects with ALTER EXTENSION govledger UPDATE. In between, rows are
 * captured, sealed and signed as before. What needs the objects of this version says so.
 */
#ifndef GL_CORE_VERSION_H
#define GL_CORE_VERSION_H

/*
 * Error with the way out unless this database has the SQL objects of the library's own version. One index look-up in
 * pg_extension: for functions that people call, not for the write path or the sealer.
 */
extern void gl_version_require_current(void);
/* Error: the installed SQL objects lack `relation`, or the extension is not there at all. */
extern void gl_version_raise_missing(const char *relation) pg_attribute_noreturn();

#endif
