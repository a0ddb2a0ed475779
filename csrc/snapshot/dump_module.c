/* pyrunc.snapshot._dump: run on a stack of one's own, write the image, and come back to life in another process. */
#define Py_LIMITED_API 0x030B0000
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dump.h"
#include "fill.h"

#define STACK_SIZE (8UL << 20)
#define GUARD_SIZE 65536UL
#define BELOW 16384UL /* of the kernel's stack, below the frame that left it */

extern char **environ;

long arch_call_on(void *stack_top, long (*function)(void *), void *argument);
ARCH_CALL_ON;

static struct request request = { .fd = -1 };

static long call(void *callable)
{
    return (long)(intptr_t)PyObject_CallObject(callable, NULL);
}

/* on_own_stack(function): what function() gives, called on a new mapping. */
static PyObject *on_own_stack(PyObject *module, PyObject *callable)
{
    char *stack = mmap(NULL, STACK_SIZE + GUARD_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    (void)module;
    if (stack == MAP_FAILED || mprotect(stack + GUARD_SIZE, STACK_SIZE, PROT_READ | PROT_WRITE) < 0)
        return PyErr_SetFromErrno(PyExc_OSError);
    request.own_high = (uint64_t)(uintptr_t)stack + GUARD_SIZE + STACK_SIZE;
    request.stack_low = (uint64_t)(uintptr_t)__builtin_frame_address(0) - BELOW;
    return (PyObject *)(intptr_t)arch_call_on(stack + GUARD_SIZE + STACK_SIZE, call, callable);
}

static PyObject *bytes_list(char **vector)
{
    PyObject *list = PyList_New(0);

    for (; list && *vector; vector++) {
        PyObject *item = PyBytes_FromString(*vector);

        if (!item || PyList_Append(list, item) < 0)
            Py_CLEAR(list);
        Py_XDECREF(item);
    }
    return list;
}

/* dump(fd, files, count): None when the image is written; in a restored process
 * (argv, environment, ignored signals as bits, whether it is a training run). */
static PyObject *dump(PyObject *module, PyObject *arguments)
{
    Py_ssize_t size;
    unsigned long long count;
    long result;
    const struct start *start;

    (void)module;
    if (!PyArg_ParseTuple(arguments, "iy#K", &request.fd, &request.files, &size, &count))
        return NULL;
    if (request.own_high == 0) {
        PyErr_SetString(PyExc_RuntimeError, "not on a stack of its own");
        return NULL;
    }
    request.files_size = (uint64_t)size;
    fill_holes();
    request.file_count = count;
    result = take_dump(&request);
    if (result < 0 && result > -4096) {
        errno = (int)-result;
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    if (result == 0)
        Py_RETURN_NONE;
    start = (const struct start *)(intptr_t)result;
    environ = start->envp;
    return Py_BuildValue("NNKK", bytes_list(start->argv), bytes_list(start->envp),
                 (unsigned long long)start->ignored_signals, (unsigned long long)start->training);
}

static PyMethodDef methods[] = {
    { "on_own_stack", on_own_stack, METH_O, NULL },
    { "dump", dump, METH_VARARGS, NULL },
    { NULL, NULL, 0, NULL },
};

static struct PyModuleDef definition = { PyModuleDef_HEAD_INIT, "_dump", NULL, -1, methods, NULL, NULL, NULL, NULL };

PyMODINIT_FUNC PyInit__dump(void)
{
    return PyModule_Create(&definition);
}
