/* A stand-in for one of NVIDIA's kernel modules: it has the real one's name, version and licence, and does nothing. */
#include <linux/init.h>
#include <linux/module.h>

static int __init stand_in_init(void)
{
	return -ENODEV;
}

static void __exit stand_in_exit(void)
{
}

module_init(stand_in_init);
module_exit(stand_in_exit);
MODULE_LICENSE("@LICENSE@");
MODULE_VERSION("@VERSION@");
