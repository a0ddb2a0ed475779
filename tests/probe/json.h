/* A JSON writer that needs no memory: values go straight to a stdio stream. */
#ifndef PROBE_JSON_H
#define PROBE_JSON_H

#include <stdio.h>

static FILE *json_out;
static int json_comma;

static void json_text(const char *text, long length)
{
    fputc('"', json_out);
    for (long i = 0; length < 0 ? text[i] != 0 : i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\')
            fprintf(json_out, "\\%c", c);
        else if (c < 0x20 || c > 0x7e)
            fprintf(json_out, "\\u%04x", c); /* bytes as Latin-1 */
        else
            fputc(c, json_out);
    }
    fputc('"', json_out);
}

static void json_separator(void)
{
    if (json_comma)
        fputs(",\n", json_out);
    json_comma = 1;
}

static void json_key(const char *key)
{
    json_separator();
    json_text(key, -1);
    fputc(':', json_out);
    json_comma = 0;
}

static void json_open(const char *key, char bracket)
{
    if (key)
        json_key(key);
    else
        json_separator();
    fputc(bracket, json_out);
    json_comma = 0;
}

static void json_close(char bracket)
{
    fputc(bracket, json_out);
    json_comma = 1;
}

static void json_string(const char *key, const char *value)
{
    if (key)
        json_key(key);
    else
        json_separator();
    json_text(value, -1);
    json_comma = 1;
}

static void json_number(const char *key, long long value)
{
    if (key)
        json_key(key);
    else
        json_separator();
    fprintf(json_out, "%lld", value);
    json_comma = 1;
}

#endif
