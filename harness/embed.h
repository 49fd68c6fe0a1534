/* Files built into the program, by the assembler, which knows how to include bytes: a string of the file's text. What a
 * source embeds, mk/build.mk has to name. */
#ifndef HARNESS_EMBED_H
#define HARNESS_EMBED_H

#define EMBED(name, file)                                                                                    \
    __asm__(".section .rodata\n.global " #name "\n.hidden " #name "\n" #name ":\n.incbin \"" file            \
            "\"\n.byte 0\n.previous\n");                                                                     \
    extern const char name[] __attribute__((visibility("hidden")))

#endif
