/* OpenMP's functions for one thread: WebAssembly without threads has no library of it. */
static inline int omp_get_max_threads(void)
{
    return 1;
}
static inline int omp_get_thread_num(void)
{
    return 0;
}
