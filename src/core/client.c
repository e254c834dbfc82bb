/*
 * client.c
 *		What the server knows about the other end of the connection.
 */
#include "core/compat.h"

/*
 * libpq-be.h wants the Kerberos headers, which the server packages do not bring. Without ENABLE_GSS it declares a void
 * pointer in the same place, so the layout of Port is the same.
 */
#undef ENABLE_GSS
#include "libpq/libpq-be.h"
#include "miscadmin.h"

#include "core/client.h"

const char *
gl_client_address(void)
{
	return MyProcPort != NULL ? MyProcPort->remote_host : NULL;
}

const char *
gl_authenticated_id(void)
{
	return GL_AUTHENTICATED_ID;
}
