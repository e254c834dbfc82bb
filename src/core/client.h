/*
 * client.h
 *		What the server knows about the other end of the connection.
 */
#ifndef GL_CORE_CLIENT_H
#define GL_CORE_CLIENT_H

/* Address of the client, "[local]" for a socket; NULL without a client (background worker). */
extern const char *gl_client_address(void);
/* Identity proven at authentication (distinguished name, Kerberos principal, ...); NULL if none. */
extern const char *gl_authenticated_id(void);

#endif
